// Owns how long to wait before the next attempt. Must not know what is attempted.

const first = 1_000;
/** Most outages are a restart: for so long attempts stay frequent, or a short one would feel long. */
const young = 120_000;
const longestYoung = 8_000;
const longest = 30_000;

/** The waits of one thing that is tried again and again. `now` is in ms, `random` gives [0, 1). */
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

  /** It went well: the next failure begins anew. */
  reset(): void {
    this.#attempt = 0;
  }

  /** Counts a failure. Full jitter, in ms, between 1 s and a ceiling that doubles up to 8 s, and 30 s after 2 min. */
  next(): number {
    if (this.fresh) this.#since = this.#now();
    const most = this.#now() - this.#since < young ? longestYoung : longest;
    const ceiling = Math.min(most, first * 2 ** Math.min(this.#attempt++, 10));
    return first + this.#random() * (ceiling - first);
  }
}
