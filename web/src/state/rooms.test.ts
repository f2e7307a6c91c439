// The list of rooms: snapshots and events together, unread marks, joining and leaving.
import { expect, test } from 'vitest';
import type { LogEvent, Room } from '../api/types';
import { Rooms } from './rooms.svelte';

const me = { id: 'me', username: 'ada', display_name: 'Ada' };
const bob = { id: 'bob', username: 'bob', display_name: 'Bob' };

function state(id: string, last_seq: number, more: Partial<Room> = {}): Room {
  const created_at = '2026-01-01T00:00:00Z';
  const fixed = { visibility: 'public', created_at, member_count: 1, cursor: 'c', role: 'owner' };
  return { id, name: id, last_seq, ...fixed, ...more };
}

function marks() {
  let kept: Record<string, number> = {};
  return { load: () => ({ ...kept }), save: (next: Record<string, number>) => void (kept = next) };
}

const posted = (room: string, seq: number, author = bob): LogEvent => ({
  type: 'message.posted',
  room,
  seq,
  message: { id: `m${seq}`, room, seq, author, body: 'b', created_at: '2026-01-01T00:00:00Z' },
});

function start(...rooms: Room[]): Rooms {
  const list = new Rooms('me', marks());
  list.settle({ items: rooms, cursor: 'c' });
  return list;
}

test('what others write makes a room unread, what I write does not', () => {
  const rooms = start(state('a', 1), state('b', 1));
  rooms.apply(posted('a', 2));
  rooms.apply(posted('b', 2, me));
  expect(rooms.get('a')!.unread).toBe(true);
  expect(rooms.get('b')!.unread).toBe(false);
  rooms.markRead('a');
  expect(rooms.unread).toBe(0);
});

test('read marks outlive a snapshot; in a new browser rooms are read, later ones are new', () => {
  const kept = marks();
  const before = new Rooms('me', kept);
  before.settle({ items: [state('a', 3)], cursor: 'c' });
  expect(before.doubtful).toEqual([]);
  const after = new Rooms('me', kept);
  after.settle({ items: [state('a', 5), state('b', 9)], cursor: 'c' });
  expect(after.doubtful).toEqual(['a', 'b']);
  after.judge('a', posted('a', 4).message!);
  after.judge('b', posted('b', 9).message!);
  expect([after.get('a')!.unread, after.get('b')!.unread]).toEqual([true, true]);
});

test('a mark of before the server was set back hides nothing', () => {
  const kept = marks();
  kept.save({ a: 90 });
  const rooms = new Rooms('me', kept);
  rooms.settle({ items: [state('a', 3)], cursor: 'c' });
  rooms.apply(posted('a', 4));
  rooms.reload();
  expect(rooms.get('a')!.unread).toBe(true);
  rooms.settle({ items: [state('a', 2)], cursor: 'c' });
  rooms.apply(posted('a', 3));
  expect([rooms.get('a')!.read, rooms.get('a')!.unread]).toEqual([2, true]);
});

test('who sees the end of a room has read it, also while it is not known whether it was unread', () => {
  const kept = marks();
  kept.save({ a: 1 });
  const rooms = new Rooms('me', kept);
  rooms.settle({ items: [state('a', 3)], cursor: 'c' });
  rooms.apply(posted('a', 4));
  rooms.markRead('a');
  rooms.judge('a', posted('a', 4).message!);
  expect(rooms.get('a')!.unread).toBe(false);
});

test('after a visit only messages of others make a room unread, not joins, topics or own messages', () => {
  for (const [newest, unread] of [
    [null, false],
    [posted('a', 3).message!, false],
    [posted('a', 5, me).message!, false],
    [posted('a', 4).message!, true],
    [undefined, true],
  ] as const) {
    const kept = marks();
    kept.save({ a: 3 });
    const rooms = new Rooms('me', kept);
    rooms.settle({ items: [state('a', 5)], cursor: 'c' });
    expect(rooms.get('a')!.unread).toBe(false);
    rooms.judge('a', newest);
    expect(rooms.get('a')!.unread).toBe(unread);
    expect(kept.load().a).toBe(unread ? 3 : 5);
    rooms.apply(posted('a', 6));
    expect(rooms.get('a')!.unread).toBe(true);
  }
});

test('a room that was changed by a call stays as unread as it was', () => {
  const rooms = start(state('a', 1));
  rooms.put(state('a', 2, { title: 'New' }));
  expect(rooms.get('a')!.label).toBe('New');
  expect(rooms.get('a')!.unread).toBe(false);
  expect(rooms.apply({ type: 'room.updated', room: 'a', seq: 2 })).toBe('fine');
  rooms.apply(posted('a', 3));
  expect(rooms.get('a')!.unread).toBe(true);
  rooms.apply(posted('a', 4, me));
  expect(rooms.get('a')!.unread).toBe(false);
});

test('events held during a snapshot are judged by its last_seq', () => {
  const rooms = start(state('a', 1));
  rooms.hold();
  rooms.apply(posted('a', 2));
  rooms.apply(posted('a', 3));
  const held = rooms.settle({ items: [state('a', 2)], cursor: 'c' });
  expect(held.map((event) => rooms.apply(event))).toEqual(['fine', 'fine']);
  expect(rooms.get('a')!.sequence.last).toBe(3);
});

test('a gap is told', () => {
  const rooms = start(state('a', 1));
  expect(rooms.apply(posted('a', 3))).toBe('gap');
});

test('joining adds a room and starts its count; leaving and deleting take it away', () => {
  const rooms = start();
  const member = { user: me, role: 'member', joined_at: '2026-01-01T00:00:00Z' };
  const room_state = state('a', 7);
  const joined = { type: 'member.joined', room: 'a', seq: 7, member, room_state };
  expect(rooms.apply(joined)).toBe('joined');
  expect(rooms.apply(joined)).toBe('fine');
  expect(rooms.get('a')!.state.role).toBe('member');
  expect(rooms.get('a')!.unread).toBe(false);
  expect(rooms.apply({ type: 'member.left', room: 'a', seq: 8, member, room_state })).toBe('gone');
  expect(rooms.get('a')).toBeUndefined();
  rooms.put(state('a', 9));
  expect(rooms.apply({ type: 'room.deleted', room: 'a', seq: 10 })).toBe('gone');
});

test('another member changes the count, not my role', () => {
  const rooms = start(state('a', 1));
  const member = { user: bob, role: 'member', joined_at: '2026-01-01T00:00:00Z' };
  const room_state = state('a', 2, { member_count: 2, role: undefined });
  rooms.apply({ type: 'member.joined', room: 'a', seq: 2, member, room_state });
  expect(rooms.get('a')!.state.member_count).toBe(2);
  expect(rooms.get('a')!.state.role).toBe('owner');
});

test('unknown types move the count and change nothing else', () => {
  const rooms = start(state('a', 1));
  expect(rooms.apply({ type: 'room.painted', room: 'a', seq: 2 })).toBe('fine');
  expect(rooms.apply(posted('a', 3))).toBe('fine');
});
