// Owns the state of one form under way: busy, and what the server said against it. Must not know the fields.
import { Problem } from '../api/problem';

export class Form {
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);

  /** Runs the call behind a form once at a time; true when it went through. */
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
