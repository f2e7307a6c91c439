// Owns the language in which dates, numbers and plurals are written, and keeps their Intl objects. Must not know any text.

let language: string | undefined;
let hours: 'region' | 'h12' | 'h23' = 'region';
const made = new Map<string, unknown>();

/** From now on everything is written in this language (a BCP 47 tag, with the region if one is known). */
export function writeIn(tag: string): void {
  language = tag;
  made.clear();
}

/** From now on hours are written from 1 to 12, from 0 to 23, or as the region has it. */
export function clockIs(next: typeof hours): void {
  hours = next;
  made.clear();
}

/** The language with the choice of the clock, as the `hc` key of BCP 47 has it. */
function tag(): string | undefined {
  if (hours === 'region' || !language) return language;
  return `${language}-u-hc-${hours}`;
}

/**
 * The formatter that `make` gives for the current language. It is made at first use and kept: the first Intl object of a
 * page costs 30 ms and more, each further one about one.
 */
export function kept<T>(key: string, make: (language: string | undefined) => T): T {
  let formatter = made.get(key);
  if (!formatter) made.set(key, (formatter = make(tag())));
  return formatter as T;
}

export const number = (n: number): string =>
  kept('number', (language) => new Intl.NumberFormat(language)).format(n);

/** The forms of a text for different numbers, by the categories of `Intl.PluralRules`. */
export type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** The form for this number in the current language. */
export const plural = (n: number, forms: Plural): string =>
  forms[kept('plural', (language) => new Intl.PluralRules(language)).select(n)] ?? forms.other;
