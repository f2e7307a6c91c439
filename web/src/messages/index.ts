// Owns the words of the page: which languages there are, and loading the chosen one. Must not know where a text is shown.
import { writeIn } from '../text/locale';
import type { en } from './en';

/** Every text that people read in the client. Each language is one object of this type, so a missing text does not compile. */
export type Messages = typeof en;

/** A language is loaded when it is chosen; the page never loads more than one at its start. */
export const languages = {
  en: { name: 'English', load: () => import('./en').then((module) => module.en) },
  zh: { name: '简体中文', load: () => import('./zh').then((module) => module.zh) },
} satisfies Record<string, { name: string; load: () => Promise<Messages> }>;

export type Language = keyof typeof languages;

export const isLanguage = (tag: unknown): tag is Language =>
  typeof tag === 'string' && Object.hasOwn(languages, tag);

/**
 * The texts in the current language; `speak` has to have finished before anything reads them. When it changes, the page is
 * built anew (see Root), so texts need not be reactive.
 */
export let t: Messages;

const baseOf = (tag: string) => tag.toLowerCase().split('-')[0];

/** The first language that the reader prefers and the client has; English if there is none. */
export const preferred = (tags: readonly string[]): Language =>
  tags.map(baseOf).find(isLanguage) ?? 'en';

/**
 * Loads a language and makes it the one of the page. Dates and numbers follow the reader's region where the browser names
 * one for this language: English texts have dates as in Britain for who prefers `en-GB`.
 */
export async function speak(language: Language, tags: readonly string[]): Promise<void> {
  const texts = await languages[language].load();
  t = texts;
  writeIn(tags.find((tag) => baseOf(tag) === baseOf(texts.lang)) ?? texts.lang);
  document.documentElement.lang = texts.lang;
  document.documentElement.dir = texts.dir;
}
