// Texts by key against storages that work, refuse, throw and are missing.
import { expect, test } from 'vitest';
import { Shelf } from './shelf.svelte';

class Fake {
  [key: string]: unknown;
}

/** A storage with its keys as properties, as `localStorage` has them. */
function storage(): Storage {
  return Object.defineProperties(new Fake(), {
    getItem: { value: (key: string) => (fake as Fake)[key] ?? null },
    setItem: {
      value: (key: string, text: string) => void ((fake as Fake)[key] = text),
      writable: true,
    },
    removeItem: { value: (key: string) => void delete (fake as Fake)[key] },
  }) as unknown as Storage;
}

let fake: unknown;
let heard: (key: string, text: string | null) => void;

function shelf(store: () => Storage): Shelf {
  return new Shelf({ store, listen: (run) => (heard = run) });
}

const full = () => {
  throw new DOMException('full', 'QuotaExceededError');
};

test('texts are kept, listed by their beginning, and removed', () => {
  const store = (fake = storage()) as Storage;
  const one = shelf(() => store);
  one.set('a:1', 'x');
  one.set('a:2', 'y');
  one.set('b:1', 'z');
  expect(one.keys('a:').sort()).toEqual(['a:1', 'a:2']);
  one.remove('a:1');
  expect(shelf(() => store).keys('a:')).toEqual(['a:2']);
  expect(one.get('a:1')).toBeNull();
  expect(one.keeps).toBe(true);
});

const broken: [string, () => Storage][] = [
  ['is full', () => Object.assign(storage(), { setItem: full })],
  ['may not be asked for', full],
  ['is missing', () => null as unknown as Storage],
];

test.each(broken)(
  'a storage that %s: texts last as long as the page, and that is told',
  (_, make) => {
    fake = {};
    const one = shelf(make);
    expect(one.keeps).toBe(false);
    one.set('a', 'x');
    expect(one.get('a')).toBe('x');
    expect(one.keys('a')).toEqual(['a']);
    one.remove('a');
    expect(one.get('a')).toBeNull();
    expect(one.keys('a')).toEqual([]);
  },
);

test('a storage that is full for a while: the newest text counts, and is kept once there is room', () => {
  const store = (fake = storage()) as Storage;
  const one = shelf(() => store);
  one.set('a', 'old');
  const { setItem } = store;
  store.setItem = full;
  one.set('a', 'new');
  expect([one.get('a'), one.keeps]).toEqual(['new', false]);
  store.setItem = setItem;
  one.set('a', 'newest');
  expect([one.get('a'), store.getItem('a'), one.keeps]).toEqual(['newest', 'newest', true]);
});

test('what another tab changed counts, and watchers hear of it until they stop', () => {
  const store = (fake = storage()) as Storage;
  const one = shelf(() => store);
  const told: unknown[] = [];
  const stop = one.watch((key, text) => told.push([key, text]));
  heard('a', 'x');
  heard('a', null);
  stop();
  heard('b', 'y');
  expect(told).toEqual([
    ['a', 'x'],
    ['a', null],
  ]);
});
