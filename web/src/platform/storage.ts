// Owns what the client keeps in the browser between visits: drafts, unsent messages, read marks, settings. What another
// program or version has damaged counts as absent. Must not keep anything that a sign-out must delete but cannot.
import { parseMark, type Mark } from '../api/renewal';
import type { HabitStore } from '../components/composer/habits.svelte';
import type { DraftStore } from '../state/drafts.svelte';
import type { RecentStore } from '../state/recent';
import type { ReadMarks } from '../state/rooms.svelte';
import { parseUnsent, type UnsentStore } from '../state/unsent';
import { Shelf } from './shelf.svelte';

const prefix = 'parlor-';
/** Settings of this browser, whoever uses it. */
export const settingKey = 'parlor-setting:';
const readKey = 'parlor-read:';
const renewedKey = 'parlor-renewed';
const texts = /^parlor-(draft|unsent):/;

export const shelf = new Shelf({
  store: () => localStorage,
  listen: (heard) =>
    addEventListener('storage', ({ key, newValue }) => key !== null && heard(key, newValue)),
});

/** The value kept under `key`, if it is one that `valid` accepts. */
function parsed<T>(text: string | null, valid: (value: unknown) => value is T): T | null {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    return valid(value) ? value : null;
  } catch {
    return null;
  }
}

const isMarks = (value: unknown): value is Record<string, number> =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((seq) => typeof seq === 'number');

const isText = (value: unknown): value is string => typeof value === 'string';

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);

export function readMarks(user: string): ReadMarks {
  const key = readKey + user;
  return {
    load: () => parsed(shelf.get(key), isMarks) ?? {},
    save: (marks) => shelf.set(key, JSON.stringify(marks)),
  };
}

/** The rooms that were opened last, the newest first. */
export function recentStore(user: string): RecentStore {
  const key = `${prefix}recent:${user}`;
  return {
    load: () => parsed(shelf.get(key), isTexts) ?? [],
    save: (rooms) => shelf.set(key, JSON.stringify(rooms)),
  };
}

export const isReadMarks = (key: string | null): boolean => !!key?.startsWith(readKey);

/** One key for each room, so that tabs with different rooms do not overwrite each other. */
export function draftStore(user: string): DraftStore {
  const start = `${prefix}draft:${user}:`;
  return {
    load: () =>
      shelf
        .keys(start)
        .map((key) => [key.slice(start.length), parsed(shelf.get(key), isText) ?? '']),
    save(room, text) {
      if (text) shelf.set(start + room, JSON.stringify(text));
      else shelf.remove(start + room);
    },
    watch: (heard) =>
      shelf.watch((key, text) => {
        if (key.startsWith(start)) heard(key.slice(start.length), parsed(text, isText) ?? '');
      }),
  };
}

/** One key for each message, so that tabs do not overwrite each other's. */
export function unsentStore(user: string): UnsentStore {
  const start = `${prefix}unsent:${user}:`;
  return {
    load() {
      const kept = shelf.keys(start).map((key) => parseUnsent(shelf.get(key)));
      return kept.filter((entry) => entry !== null).sort((a, b) => a.order - b.order);
    },
    keep: (entry) => shelf.set(start + entry.clientId, JSON.stringify(entry)),
    remove: (clientId) => shelf.remove(start + clientId),
    watch: (heard) =>
      shelf.watch((key, text) => {
        if (key.startsWith(start)) heard(key.slice(start.length), parseUnsent(text));
      }),
  };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** How the person likes to write. */
export function habitStore(user: string): HabitStore {
  const key = `${prefix}habits:${user}`;
  return {
    load: () => parsed(shelf.get(key), isObject) ?? {},
    save: (habit) => shelf.set(key, JSON.stringify(habit)),
  };
}

/** The last renewal of the session, by whichever tab. */
export const renewalMark = {
  load: (): Mark | null => parseMark(shelf.get(renewedKey)),
  save(mark: Mark | null): void {
    if (mark) shelf.set(renewedKey, JSON.stringify(mark));
    else shelf.remove(renewedKey);
  },
  /** Runs `heard` when another tab has renewed or ended the session. */
  watch: (heard: () => void): (() => void) => shelf.watch((key) => key === renewedKey && heard()),
};

/**
 * Deletes everything of the person who signs out, as the computer may be shared. Settings and the read seqs stay,
 * and the texts of people whose session ended without a sign-out: they are shown to nobody else.
 */
export function forget(user: string): void {
  const stays = (key: string) =>
    key.startsWith(settingKey) ||
    isReadMarks(key) ||
    (texts.test(key) && !key.includes(`:${user}:`));
  for (const key of shelf.keys(prefix)) if (!stays(key)) shelf.remove(key);
}
