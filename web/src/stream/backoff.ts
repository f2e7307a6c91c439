// Owns how long to wait before the next attempt. Must not know what is attempted.

const first = 1_000;
const longest = 30_000;

/** Full jitter between 1 s and a ceiling that doubles with each attempt up to 30 s, in ms. `random` gives [0, 1). */
export function backoff(attempt: number, random: () => number): number {
  const ceiling = Math.min(longest, first * 2 ** Math.min(attempt, 10));
  return first + random() * (ceiling - first);
}
