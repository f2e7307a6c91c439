// The order of rooms in the list, and which room the keys lead to.
import { expect, test } from 'vitest';
import type { MyRoom, Rooms } from './rooms.svelte';
import { Sections } from './sections.svelte';

/** Rooms by their ids; a capital letter is an unread one. */
function of(ids: string) {
  const list = listOf(ids);
  const get = (id: string) => list.find((room) => room.state.id === id);
  return new Sections({ list, get } as unknown as Rooms);
}

const listOf = (ids: string) =>
  [...ids].map(
    (id) => ({ state: { id: id.toLowerCase() }, unread: id !== id.toLowerCase() }) as MyRoom,
  );

const ids = (rooms: MyRoom[]) => rooms.map((room) => room.state.id).join('');

test('unread rooms stand first, each section in the order of the list', () => {
  const sections = of('aBcD');
  expect(ids(sections.unread)).toBe('bd');
  expect(ids(sections.others)).toBe('ac');
});

test('keys go round the list as it stands', () => {
  const sections = of('aBcD');
  const to = (open: string | null, step: 1 | -1) => sections.beside(open, step, false)?.state.id;
  expect([to('b', 1), to('d', 1), to('a', 1), to('c', 1)]).toEqual(['d', 'a', 'c', 'b']);
  expect([to('b', -1), to('d', -1)]).toEqual(['c', 'b']);
  expect([to(null, 1), to(null, -1)]).toEqual(['b', 'c']);
  expect(of('a').beside('a', 1, false)).toBeUndefined();
  expect(of('').beside(null, 1, false)).toBeUndefined();
});

test('keys for unread rooms pass the others over', () => {
  const sections = of('aBcD');
  const to = (open: string | null, step: 1 | -1) => sections.beside(open, step, true)?.state.id;
  expect([to('a', 1), to('a', -1), to('b', 1), to(null, 1)]).toEqual(['b', 'd', 'd', 'b']);
  expect(of('abc').beside('a', 1, true)).toBeUndefined();
});

test('the open room stays in its section after it was read', () => {
  const list = listOf('aBc');
  const get = (id: string) => list.find((room) => room.state.id === id);
  const parts = { list, get } as unknown as Rooms;
  const sections = new Sections(parts);
  sections.opened('b');
  (list[1] as { unread: boolean }).unread = false;
  expect(ids(sections.unread)).toBe('b');
  sections.opened('a');
  expect(ids(sections.unread)).toBe('');
  expect(ids(sections.others)).toBe('abc');
});
