// Owns the initials and the colour that stand for a person or a room. Must not know where they are shown.

export const tones = 10;

/** One or two letters, by what a reader sees as letters (an emoji of many code points is one). */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/[\s_-]+/u)
    .filter(Boolean);
  const picked = words.length > 1 ? [words[0]!, words.at(-1)!] : words.slice(0, 1);
  return picked.map(firstLetter).join('').toLocaleUpperCase();
}

function firstLetter(word: string): string {
  if (!('Segmenter' in Intl)) return Array.from(word)[0] ?? '';
  for (const { segment } of new Intl.Segmenter().segment(word)) return segment;
  return '';
}

/** The same id has the same colour everywhere and always: FNV-1a over its characters. */
export function tone(id: string): number {
  let hash = 0x811c9dc5;
  for (const char of id) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return (hash >>> 0) % tones;
}
