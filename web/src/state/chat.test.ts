// The conversation while the server answers late, in a hurry, or not at all: nothing is missed, and nothing is read unseen.
import { beforeEach, expect, test } from 'vitest';
import type { PageAt } from '../api/calls';
import type { Calls } from '../api/calls';
import { Problem } from '../api/problem';
import type { LogEvent, MessagePage, MyRooms, Room, User } from '../api/types';
import { Chat } from './chat.svelte';

const ada = { id: 'ada', username: 'ada', display_name: 'Ada' } as User;
const bob = { id: 'bob', username: 'bob', display_name: 'Bob' };

let chat: Chat;
/** How many messages of Bob each room has. */
let rooms: Record<string, number>;
let marks: Record<string, number>;
/** What becomes of the next requests, by kind; without an entry they succeed. */
let snapshots: (Promise<MyRooms> | Problem)[];
let pages: Problem[];
let asked: { room: string; at: PageAt }[];
/** The same for the questions whether a room is unread. */
let refusals: Problem[];
let looks: typeof asked;
let timers: { ms: number; run: () => void }[];

const room = (id: string): Room => ({
  ...{ id, name: id, visibility: 'public', created_at: '', member_count: 2, role: 'member' },
  ...{ last_seq: rooms[id]!, cursor: `c${rooms[id]}` },
});
const snapshot = (): MyRooms => ({ items: Object.keys(rooms).map(room), cursor: 'c' });
const message = (room: string, seq: number) => ({
  ...{ id: `${room}${seq}`, room, seq, author: bob, body: `b${seq}`, created_at: '' },
});
const posted = (room: string): LogEvent => {
  const seq = ++rooms[room]!;
  return { type: 'message.posted', room, seq, cursor: `c${seq}`, message: message(room, seq) };
};

const calls = {
  async myRooms() {
    const next = snapshots.shift();
    if (next instanceof Problem) throw next;
    return next ?? snapshot();
  },
  async messages(id: string, at: PageAt = {}): Promise<MessagePage> {
    (at.limit === 1 ? looks : asked).push({ room: id, at });
    const problem = (at.limit === 1 ? refusals : pages).shift();
    if (problem) throw problem;
    const last_seq = rooms[id]!;
    const all = Array.from({ length: last_seq }, (_, n) => message(id, n + 1));
    const items = all.slice(-(at.limit ?? 50));
    return { items, referenced: [], cursor: `c${last_seq}`, last_seq };
  },
  members: async (id: string) => ({ items: [], last_seq: rooms[id]!, cursor: 'c' }),
} as unknown as Calls;

const settled = () => new Promise((resolve) => setTimeout(resolve));
const busy = (seconds: number) => new Problem(429, 'too_many', 'Slow down', '', [], seconds);
const fire = () => timers.splice(0).forEach((timer) => timer.run());

async function start(): Promise<void> {
  chat = new Chat(ada, {
    calls,
    marks: { load: () => ({ ...marks }), save: (next) => void (marks = next) },
    drafts: { load: () => [], save() {}, watch: () => () => {} },
    unsent: { load: () => [], keep() {}, remove() {}, watch: () => () => {} },
    alone: async (_, work) => work(false),
    newId: () => 'id',
    now: () => new Date(0),
    ticks: () => 0,
    random: () => 0,
    after(ms, run) {
      const timer = { ms, run };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
    soon: (run) => run(),
  });
  // The banner's timer.
  timers = [];
  await chat.sync();
  await settled();
}

beforeEach(() => {
  rooms = { a: 3 };
  marks = { a: 3 };
  snapshots = [];
  pages = [];
  refusals = [];
  asked = [];
  looks = [];
  timers = [];
});

test('a room that could not be fetched after a reset knows it, is unread, and has a line once it is', async () => {
  await start();
  const open = chat.open('a');
  await open.load();
  expect(open.lacks).toBe(false);
  rooms.a = 6;
  pages = [busy(9)];
  const resetting = chat.reset();
  expect(open.timeline.stale).toBe(true);
  await resetting;
  await settled();
  expect([open.lacks, open.timeline.trouble]).toEqual([true, busy(9)]);
  expect([open.timeline.lastSeq, chat.rooms.get('a')!.unread]).toEqual([3, true]);
  await open.loadMessages();
  expect([open.lacks, open.timeline.lastSeq, open.timeline.divider]).toEqual([false, 6, 3]);
});

test('while a gap cannot be fetched, further events are no reason to ask at once', async () => {
  await start();
  const open = chat.open('a');
  await open.load();
  pages = [1, 2, 3].map(() => Problem.noAnswer());
  posted('a');
  asked = [];
  chat.apply([posted('a'), posted('a')]);
  await settled();
  for (let n = 0; n < 5; n++) {
    chat.apply([posted('a')]);
    await settled();
  }
  expect([asked.length, open.lacks]).toEqual([1, true]);
  await open.loadMessages();
  await open.loadMessages();
  await open.loadMessages();
  expect([open.lacks, open.timeline.rows.length]).toEqual([false, 11]);
  chat.apply([posted('a')]);
  expect(open.timeline.rows).toHaveLength(12);
});

test('a message that a link asks for is asked for until it is there, or known not to be', async () => {
  await start();
  const open = chat.open('a');
  pages = [busy(1)];
  await open.seek('a2');
  expect([open.wanted, open.lacks, open.timeline.phase]).toEqual(['a2', true, 'failed']);
  await open.loadMessages();
  expect(asked.map(({ at }) => at.around)).toEqual(['a2', 'a2']);
  expect(open.timeline.phase).toBe('ready');

  pages = [busy(1), new Problem(404, 'message_not_found', '')];
  await open.seek('b7');
  expect([open.wanted, open.nowhere]).toEqual(['b7', false]);
  await open.loadMessages();
  expect([open.wanted, open.nowhere, open.lacks]).toEqual([null, true, false]);
  await open.seek(null);
  expect(open.nowhere).toBe(false);
});

test('a question whether a room is unread that is refused for now is asked again', async () => {
  rooms = { a: 3, b: 2 };
  marks = { a: 1, b: 2 };
  refusals = [busy(2), Problem.noAnswer()];
  await start();
  const state = () => [looks.length, chat.rooms.unread];
  expect([state(), timers.map(({ ms }) => ms)]).toEqual([[1, 0], [2_000]]);
  fire();
  await settled();
  fire();
  await settled();
  expect([state(), timers]).toEqual([[3, 1], []]);

  marks = { a: 1, b: 2 };
  refusals = [new Problem(403, 'forbidden', '')];
  looks = [];
  await start();
  expect([state(), timers]).toEqual([[1, 1], []]);

  marks = { a: 1, b: 2 };
  refusals = [busy(2)];
  looks = [];
  await start();
  chat.stop();
  fire();
  await settled();
  expect(looks).toHaveLength(1);
});

test('an older list of rooms that comes later than a newer one changes nothing', async () => {
  await start();
  const old = snapshot();
  let answer = (_: MyRooms) => {};
  snapshots = [new Promise((resolve) => (answer = resolve))];
  const first = chat.sync();
  rooms.b = 1;
  await chat.sync();
  answer(old);
  await first;
  expect(chat.rooms.list.map(({ state }) => state.id)).toEqual(['a', 'b']);
});
