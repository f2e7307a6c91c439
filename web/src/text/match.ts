// Owns how a few typed letters find a name: in order, at any place, best match first. Must not know what is named.

/** Lower is better; null when the letters are not in the name in this order. */
export function matchScore(letters: string, name: string): number | null {
  const text = name.toLocaleLowerCase();
  let score = 0;
  let at = -1;
  for (const letter of letters.toLocaleLowerCase().replace(/\s+/g, '')) {
    const found = text.indexOf(letter, at + 1);
    if (found < 0) return null;
    score += found - at - 1;
    at = found;
  }
  return score;
}
