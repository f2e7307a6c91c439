// Owns the language in which dates, numbers and plurals are written, and keeps their Intl objects. Must not know any text.

let language: string | undefined;
const made = new Map<string, unknown>();

/** From now on everything is written in this language (a BCP 47 tag, with the region if one is known). */
export function writeIn(tag: string): void {
  language = tag;
  made.clear();
}

/**
 * The formatter that `make` gives for the current language. It is made at first use and kept: the first Intl object of a
 * page costs 30 ms and more, each further one about one.
 */
export function kept<T>(key: string, make: (language: string | undefined) => T): T {
  let formatter = made.get(key);
  if (!formatter) made.set(key, (formatter = make(language)));
  return formatter as T;
}

export const number = (n: number): string =>
  kept('number', (language) => new Intl.NumberFormat(language)).format(n);

/** The forms of a text for different numbers, by the categories of `Intl.PluralRules`. */
export type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** The form for this number in the current language. */
export const plural = (n: number, forms: Plural): string =>
  forms[kept('plural', (language) => new Intl.PluralRules(language)).select(n)] ?? forms.other;
