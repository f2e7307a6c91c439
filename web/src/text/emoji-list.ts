// Owns the list of emoji and finding some in it. It is loaded when first needed. Must not know how it is shown.
import { withTone } from './tone';

export interface Emoji {
  emoji: string;
  name: string;
  /** Short names, as people type them between colons. */
  codes: string[];
  words: string;
  /** It can have a skin tone. */
  toned: boolean;
}

/** In the order of the list: smileys, people, animals, food, travel, activities, objects, symbols, flags. */
export type Group = Emoji[];

const loads = {
  en: () => import('virtual:emoji-en'),
  zh: () => import('virtual:emoji-zh'),
};

const loaded = new Map<string, Promise<Group[]>>();

/** The groups, with names in this language, or in English. */
export function emojiGroups(language: string): Promise<Group[]> {
  const key = language.startsWith('zh') ? 'zh' : 'en';
  let groups = loaded.get(key);
  if (!groups) {
    groups = loads[key]().then((module) => parseGroups(module.default));
    // A list that did not arrive is asked for again.
    groups.catch(() => loaded.delete(key));
    loaded.set(key, groups);
  }
  return groups;
}

export const parseGroups = (lines: string): Group[] =>
  lines.split('\n\n').map((group) => group.split('\n').map(parseEmoji));

function parseEmoji(line: string): Emoji {
  const [emoji = '', toned, name = '', codes = '', words = ''] = line.split('\t');
  return { emoji, toned: toned === '1', name, codes: codes.split(' ').filter(Boolean), words };
}

/** Those that the letters are found in: short names that begin with them first, then other names, then other words. */
export function findEmoji(groups: Group[], letters: string): Emoji[] {
  const wanted = letters.trim().toLocaleLowerCase();
  const scored: { entry: Emoji; score: number }[] = [];
  for (const entry of groups.flat()) {
    const score = scoreOf(entry, wanted);
    if (score < Infinity) scored.push({ entry, score });
  }
  return scored.sort((a, b) => a.score - b.score).map(({ entry }) => entry);
}

function scoreOf({ codes, name, words }: Emoji, wanted: string): number {
  let best = Infinity;
  for (const code of codes) {
    if (code === wanted) return 0;
    if (code.startsWith(wanted)) best = Math.min(best, 1 + code.length / 100);
    else if (code.includes(wanted)) best = Math.min(best, 3);
  }
  const lower = name.toLocaleLowerCase();
  if (lower.startsWith(wanted)) best = Math.min(best, 2);
  else if (lower.includes(wanted)) best = Math.min(best, 3);
  return best < Infinity || !words.toLocaleLowerCase().includes(wanted) ? best : 4;
}

/** The emoji as it is written, with the tone that the reader has chosen if it takes one. */
export const written = ({ emoji, toned }: Emoji, tone: number): string =>
  toned ? withTone(emoji, tone) : emoji;
