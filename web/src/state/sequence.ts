// Owns the check that a room's events come without a hole. Must not know what the events say.
import type { LogEvent } from '../api/types';

/**
 * Follows one room's dense numbering from a snapshot on. While a snapshot is being fetched, events are held back and
 * checked afterwards: those up to the snapshot's `last_seq` are in it already.
 */
export class Sequence {
  #last = 0;
  #held: LogEvent[] | null = null;

  get last(): number {
    return this.#last;
  }

  /** `hold`: kept for later. `old`: known already. `gap`: something is missing, fetch again. */
  judge(event: LogEvent): 'hold' | 'old' | 'next' | 'gap' {
    if (this.#held) {
      this.#held.push(event);
      return 'hold';
    }
    const seq = event.seq;
    if (seq === undefined || seq <= this.#last) return 'old';
    if (seq !== this.#last + 1) return 'gap';
    this.#last = seq;
    return 'next';
  }

  hold(): void {
    this.#held ??= [];
  }

  /** The snapshot has arrived, or has failed (then `last` is absent): continues from there with the events that waited. */
  settle(last?: number): LogEvent[] {
    if (last !== undefined) this.#last = last;
    const held = this.#held ?? [];
    this.#held = null;
    return held;
  }
}
