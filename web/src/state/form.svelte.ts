// Owns the state of one form: whether a call is running, and the server's refusal. Must not know the fields.
import { Problem } from '../api/problem';

export class Form {
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);

  /** Runs the call behind a form, one at a time. True when it succeeded. */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = null;
    try {
      await work();
      return true;
    } catch (error) {
      this.problem = error instanceof Problem ? error : Problem.noAnswer();
      return false;
    } finally {
      this.busy = false;
    }
  }
}
