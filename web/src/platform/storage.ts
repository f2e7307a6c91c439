// Owns what the client keeps in the browser between visits: drafts, unsent messages, read marks, the theme, the language. Must not
// keep anything that a sign-out must delete but cannot.
import type { DraftStore } from '../state/drafts.svelte';
import { isLanguage, type Language } from '../messages';
import type { Unsent } from '../state/outbox.svelte';
import type { ReadMarks } from '../state/rooms.svelte';

const prefix = 'parlor-';
const themeKey = 'parlor-theme';
const languageKey = 'parlor-language';

function read<T>(store: Storage, key: string, otherwise: T): T {
  try {
    return JSON.parse(store.getItem(key) ?? '') as T;
  } catch {
    return otherwise;
  }
}

function write(store: Storage, key: string, value: unknown): void {
  try {
    store.setItem(key, JSON.stringify(value));
  } catch {
    // If storage is full or forbidden, only drafts and marks are lost, never a message on the screen.
  }
}

export function readMarks(user: string): ReadMarks {
  const key = `${prefix}read:${user}`;
  return {
    load: () => read(localStorage, key, {}),
    save: (marks) => write(localStorage, key, marks),
  };
}

export const isReadMarks = (key: string | null): boolean => !!key?.startsWith(`${prefix}read:`);

/** Unsent messages belong to one tab: two tabs must not both send them. */
export function unsent(user: string): { load(): Unsent[]; save(list: Unsent[]): void } {
  const key = `${prefix}unsent:${user}`;
  return {
    load: () => read(sessionStorage, key, []),
    save: (list) => write(sessionStorage, key, list),
  };
}

/** One key for each room, so that tabs with different rooms do not overwrite each other. */
export function draftStore(user: string): DraftStore {
  const start = `${prefix}draft:${user}:`;
  return {
    load() {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(start));
      return keys.map((key) => [key.slice(start.length), read(localStorage, key, '')]);
    },
    save(room, text) {
      if (text) write(localStorage, start + room, text);
      else localStorage.removeItem(start + room);
    },
  };
}

export type Theme = 'system' | 'light' | 'dark';

export function loadTheme(): Theme {
  const theme = localStorage.getItem(themeKey);
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

export function saveTheme(theme: Theme): void {
  localStorage.setItem(themeKey, theme);
}

export function loadLanguage(): Language | 'system' {
  const language = read<unknown>(localStorage, languageKey, 'system');
  return isLanguage(language) ? language : 'system';
}

export function saveLanguage(language: Language | 'system'): void {
  write(localStorage, languageKey, language);
}

/** Sign-out deletes everything of the person, as the computer may be shared. Only theme, language and read seqs stay. */
export function forget(): void {
  sessionStorage.clear();
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(prefix) && ![themeKey, languageKey].includes(key) && !isReadMarks(key))
      localStorage.removeItem(key);
  }
}
