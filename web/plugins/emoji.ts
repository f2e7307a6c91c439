// Owns cutting the list of emoji out of emojibase-data, as `virtual:emoji-en` and `virtual:emoji-zh`: one line an emoji, so
// that it packs well. Knows nothing of how the list is shown.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';
import { withTone } from '../src/text/tone.ts';

const data = dirname(createRequire(import.meta.url).resolve('emojibase-data/package.json'));
const prefix = 'virtual:emoji-';
const languages = ['en', 'zh'];

/** Emoji of later versions are empty boxes on many machines that are in use. */
const newest = 15.1;
/** Skin tones and hair, which are no emoji of their own. */
const components = 2;

interface Entry {
  emoji: string;
  hexcode: string;
  label: string;
  tags?: string[];
  group?: number;
  order?: number;
  version: number;
  skins?: { emoji: string; tone: number | number[] }[];
}

type Codes = Record<string, string | string[] | undefined>;

const read = async <T>(path: string) => JSON.parse(await readFile(join(data, path), 'utf8')) as T;

/** The groups, with an empty line between them; each line: emoji, "1" if it takes skin tones, name, short names, other words. */
export async function emojiLines(language: string): Promise<string> {
  const entries = await read<Entry[]>(`${language}/data.json`);
  const codes = await read<Codes>('en/shortcodes/emojibase.json');
  const more = await read<Codes>('en/shortcodes/github.json');
  const groups = new Map<number, string[]>();
  for (const entry of entries.sort((a, b) => (a.order ?? 0) - (b.order ?? 0))) {
    const { hexcode, label, tags = [], group, version } = entry;
    const emoji = shortest(entry.emoji);
    if (group === undefined || group === components || version > newest) continue;
    const names = [...new Set([more[hexcode] ?? [], codes[hexcode] ?? []].flat())];
    const known = `${label} ${names.join(' ')}`.toLowerCase();
    const words = tags.filter((tag) => !known.includes(tag.toLowerCase()));
    const line = [emoji, tones(entry) ? '1' : '', label, names.join(' '), words.join(' ')];
    groups.set(group, [...(groups.get(group) ?? []), line.join('\t')]);
  }
  return [...groups.values()].map((lines) => lines.join('\n')).join('\n\n');
}

/** Without the sign for "as a picture" where the character is a picture anyway, as keyboards type it. */
const shortest = (emoji: string): string => emoji.replace(/(\p{Emoji_Presentation})\ufe0f/gu, '$1');

/** Whether the client makes the same emoji with a skin tone as the list has. */
const tones = ({ emoji, skins = [] }: Entry): boolean =>
  skins.length > 0 &&
  [1, 2, 3, 4, 5].every((tone) =>
    skins.some((skin) => skin.tone === tone && skin.emoji === withTone(emoji, tone)),
  );

export function emojiList(): Plugin {
  return {
    name: 'parlor-emoji',
    resolveId: (id) =>
      languages.some((language) => id === prefix + language) ? `\0${id}` : undefined,
    async load(id) {
      if (!id.startsWith(`\0${prefix}`)) return;
      return `export default ${JSON.stringify(await emojiLines(id.slice(prefix.length + 1)))};`;
    },
  };
}
