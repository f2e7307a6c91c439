// Owns how long to wait before the next attempt. Must not know what is attempted.
import { Problem } from '../api/problem';

const first = 1_000;
/** Most outages are restarts. Attempts stay frequent for this long (ms), so that a short outage feels short. */
const young = 120_000;
const longestYoung = 8_000;
const longest = 30_000;

/** The waiting times of one repeated action. `now` is in ms, `random` gives a number in [0, 1). */
export class Backoff {
  #now: () => number;
  #random: () => number;
  #since = 0;
  #attempt = 0;

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
  }

  /** Nothing has failed since the last success. */
  get fresh(): boolean {
    return this.#attempt === 0;
  }

  /** Records a success: the next failure starts with the shortest wait again. */
  reset(): void {
    this.#attempt = 0;
  }

  /** Counts a failure: gives the ms until the next attempt, at least what the server has named. */
  wait(why: unknown): number {
    const named = why instanceof Problem ? why.retryAfter * 1_000 : 0;
    return Math.max(named, this.next());
  }

  /** Counts a failure. Full jitter, in ms, between 1 s and a ceiling that doubles up to 8 s, and 30 s after 2 min. */
  next(): number {
    if (this.fresh) this.#since = this.#now();
    const most = this.#now() - this.#since < young ? longestYoung : longest;
    const ceiling = Math.min(most, first * 2 ** Math.min(this.#attempt++, 10));
    return first + this.#random() * (ceiling - first);
  }
}
