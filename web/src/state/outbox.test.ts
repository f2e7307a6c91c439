// Unsent messages against a server that answers, does not answer, and refuses; in one tab and in several.
import { beforeEach, expect, test } from 'vitest';
import { Problem } from '../api/problem';
import { Outbox } from './outbox.svelte';
import { parseUnsent, type Unsent } from './unsent';

interface Timer {
  ms: number;
  run: () => void;
}

interface Tab {
  box: Outbox;
  timers: Timer[];
}

let posts: { tab: number; body: string; clientId: string }[];
/** With each post comes a signal that calls it back. */
let signals: AbortSignal[];
/** What the server says to the next posts: a refusal, a seq, or nothing until the signal ends the post. */
let answers: (Problem | number | 'silence')[];
/** What the browser keeps, as text: it is read by later tabs. */
let kept: Map<string, string>;
let watchers: { tab: number; heard: (clientId: string, entry: Unsent | null) => void }[];
let locks: Map<string, Promise<void>>;
let clock: number;
/** How long (ms) each post takes. */
let takes: number;
let dice: number;
let known: number;
let ids: number;
let tabs: number;

function tab(): Tab {
  const timers: Timer[] = [];
  const tab = ++tabs;
  const tell = (clientId: string) => {
    const entry = parseUnsent(kept.get(clientId) ?? null);
    for (const watcher of watchers) if (watcher.tab !== tab) watcher.heard(clientId, entry);
  };
  const box = new Outbox({
    async post(room, body, clientId, signal) {
      posts.push({ tab, body, clientId });
      clock += takes;
      signals.push(signal);
      const answer = answers.shift() ?? posts.length;
      if (answer instanceof Problem) throw answer;
      if (answer === 'silence') {
        return new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(Problem.noAnswer())),
        );
      }
      const author = { id: 'me', username: 'ada', display_name: 'Ada' };
      return { id: 'm', room, seq: answer, author, body, client_id: clientId, created_at: '' };
    },
    known: () => known,
    newId: () => `id${++ids}`,
    now: () => new Date(0),
    ticks: () => clock,
    random: () => dice,
    after(ms, run) {
      const timer = { ms, run };
      timers.push(timer);
      return () => void (timers.includes(timer) && timers.splice(timers.indexOf(timer), 1));
    },
    unsent: {
      load: () => [...kept.values()].map((text) => parseUnsent(text)!),
      keep(entry) {
        kept.set(entry.clientId, JSON.stringify(entry));
        tell(entry.clientId);
      },
      remove(clientId) {
        kept.delete(clientId);
        tell(clientId);
      },
      watch(heard) {
        const watcher = { tab, heard };
        watchers.push(watcher);
        return () => void watchers.splice(watchers.indexOf(watcher), 1);
      },
    },
    alone(room, work) {
      const before = locks.get(room);
      const turn = before ? before.then(() => work(true)) : work(false);
      const free = turn.finally(() => locks.get(room) === free && locks.delete(room));
      locks.set(room, free);
      return turn;
    },
  });
  return { box, timers };
}

/** The tab is gone, with what it was doing. */
function close({ box }: Tab): void {
  box.stop();
  locks.clear();
}

const settled = () => new Promise((resolve) => setTimeout(resolve));
const states = ({ box }: Tab) => box.unsent.map((entry) => `${entry.body}:${entry.state}`);
const fire = ({ timers }: Tab) => timers.splice(0).forEach((timer) => timer.run());
const refusal = () => new Problem(422, 'refused', 'Not this');
const busy = (seconds: number) => new Problem(429, 'too_many', 'Slow down', '', [], seconds);

beforeEach(() => {
  posts = [];
  signals = [];
  answers = [];
  kept = new Map();
  watchers = [];
  locks = new Map();
  clock = takes = dice = known = ids = tabs = 0;
});

test('an answered message stays until the log shows it', async () => {
  const a = tab();
  a.box.send('r', 'one');
  expect(states(a)).toEqual(['one:sending']);
  await settled();
  expect(states(a)).toEqual(['one:sent']);
  a.box.settle('id1');
  expect(states(a)).toEqual([]);
  expect(kept.size).toBe(0);
});

test('the log may be faster than the answer', async () => {
  const a = tab();
  a.box.send('r', 'one');
  a.box.settle('id1');
  await settled();
  expect(states(a)).toEqual([]);
  expect(kept.size).toBe(0);
});

test('without an answer everything waits, and goes in order under the same ids', async () => {
  const a = tab();
  answers = [Problem.noAnswer()];
  a.box.send('r', 'one');
  a.box.send('r', 'two');
  await settled();
  expect(states(a)).toEqual(['one:waiting', 'two:waiting']);
  expect(a.box.waits).toBe(true);
  answers = [Problem.noAnswer()];
  a.box.send('r', 'three');
  await settled();
  expect(states(a)).toEqual(['one:waiting', 'two:waiting', 'three:waiting']);
  a.box.flush();
  await settled();
  expect(states(a)).toEqual(['one:sent', 'two:sent', 'three:sent']);
  expect(a.box.waits).toBe(false);
  expect(posts.map((post) => post.clientId)).toEqual(['id1', 'id1', 'id1', 'id2', 'id3']);
});

test('a refusal fails that message alone; retry and delete are there', async () => {
  const a = tab();
  answers = [refusal(), 2];
  a.box.send('r', 'one');
  a.box.send('r', 'two');
  await settled();
  expect(states(a)).toEqual(['one:failed', 'two:sent']);
  a.box.retry('id1');
  await settled();
  expect(states(a)).toEqual(['one:sent', 'two:sent']);
  a.box.remove('id1');
  expect(states(a)).toEqual(['two:sent']);
});

test('a server in a hurry is asked again after the time it named, and not before', async () => {
  const a = tab();
  answers = [busy(7)];
  a.box.send('r', 'one');
  a.box.send('other', 'two');
  await settled();
  expect(a.box.heldUntil).toBe(7_000);
  expect(states(a)).toEqual(['one:waiting', 'two:sent']);
  clock = 2_000;
  a.box.flush();
  a.box.send('r', 'three');
  await settled();
  expect(states(a)).toEqual(['one:waiting', 'two:sent', 'three:waiting']);
  expect(a.box.unsent.at(-1)!.why?.status).toBe(429);
  expect(posts).toHaveLength(2);
  clock = 7_000;
  fire(a);
  await settled();
  expect(states(a)).toEqual(['one:sent', 'two:sent', 'three:sent']);
});

test('a short wait is not put off by a longer one', async () => {
  const a = tab();
  dice = 1;
  answers = [...Array.from({ length: 4 }, () => Problem.noAnswer()), busy(1)];
  a.box.send('r', 'one');
  for (let round = 0; round < 4; round++) {
    await settled();
    if (round < 3) fire(a);
  }
  expect(a.timers.map((timer) => timer.ms)).toEqual([8_000]);
  a.box.send('other', 'two');
  await settled();
  expect(a.timers.map((timer) => timer.ms)).toEqual([1_000]);
});

test('closing loses nothing: what was under way goes again, what failed stays with its reason', async () => {
  const first = tab();
  answers = [refusal(), 'silence'];
  first.box.send('r', 'one');
  first.box.send('r', 'two');
  first.box.send('r', 'three');
  await settled();
  expect(states(first)).toEqual(['one:failed', 'two:sending', 'three:queued']);
  close(first);
  const second = tab();
  second.box.flush();
  await settled();
  expect(states(second)).toEqual(['one:failed', 'two:sent', 'three:sent']);
  expect(second.box.unsent[0]!.why?.title).toBe('Not this');
  expect(posts.slice(-2).map((post) => post.clientId)).toEqual(['id2', 'id3']);
});

test('what the server has confirmed is not sent again by a later visit', async () => {
  const first = tab();
  first.box.send('r', 'one');
  await settled();
  close(first);
  expect(states(tab())).toEqual([]);
  expect(kept.size).toBe(0);
});

test('a snapshot of the log settles what it contains, also before the answer', async () => {
  const a = tab();
  answers = [4, 9];
  a.box.send('r', 'one');
  a.box.send('r', 'two');
  await settled();
  a.box.settleUpTo('r', 5);
  expect(states(a)).toEqual(['two:sent']);
  known = 12;
  answers = [11];
  a.box.send('r', 'three');
  await settled();
  expect(states(a)).toEqual(['two:sent']);
});

test('waits grow while nothing answers, and begin anew when the connection is back', async () => {
  dice = 1;
  answers = [1, 2, 3, 4].map(() => Problem.noAnswer());
  const a = tab();
  a.box.send('r', 'one');
  await settled();
  const waits = [a.timers[0]!.ms];
  for (const again of [() => fire(a), () => fire(a), () => a.box.flush()]) {
    again();
    await settled();
    waits.push(a.timers[0]!.ms);
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 1_000]);
});

test('a post that was lost with the old connection goes again at once over the new one', async () => {
  const a = tab();
  answers = ['silence'];
  a.box.send('r', 'one');
  await settled();
  clock = 2_000;
  a.box.flush();
  await settled();
  expect(states(a)).toEqual(['one:sending']);
  clock = 4_000;
  a.box.flush();
  await settled();
  expect(states(a)).toEqual(['one:sent']);
  expect(posts.map((post) => post.clientId)).toEqual(['id1', 'id1']);
});

test('all tabs show the same messages, and one tab at a time sends them, in the order written', async () => {
  const [a, b] = [tab(), tab()];
  answers = [Problem.noAnswer()];
  a.box.send('r', 'one');
  await settled();
  expect(states(b)).toEqual(['one:waiting']);
  answers = ['silence'];
  b.box.send('r', 'two');
  expect(states(a)).toEqual(['one:waiting', 'two:queued']);
  a.box.flush();
  await settled();
  // One tab sends; the other one waits for its turn.
  expect(posts.map((post) => post.tab)).toEqual([1, 2]);
  clock = 4_000;
  b.box.flush();
  await settled();
  fire(a);
  await settled();
  expect(posts.map(({ tab, body }) => `${tab} ${body}`)).toEqual([
    '1 one',
    '2 one',
    '2 one',
    '2 two',
  ]);
  expect([states(a), states(b)]).toEqual([
    ['one:sent', 'two:sent'],
    ['one:sent', 'two:sent'],
  ]);
});

test('a tab with many messages lets another one send after a while, in order', async () => {
  const [a, b] = [tab(), tab()];
  takes = 3_000;
  for (const body of ['one', 'two', 'three', 'four', 'five']) a.box.send('r', body);
  b.box.flush();
  await settled();
  fire(b);
  await settled();
  fire(a);
  await settled();
  expect(posts.map(({ tab, body }) => `${tab} ${body}`)).toEqual([
    '1 one',
    '1 two',
    '2 three',
    '2 four',
    '1 five',
  ]);
});

test('one tab finishing a message does not take it off the screen of another before its log has it', async () => {
  const [a, b] = [tab(), tab()];
  a.box.send('r', 'one');
  await settled();
  a.box.settle('id1');
  expect(kept.size).toBe(0);
  expect(states(b)).toEqual(['one:sent']);
  b.box.settle('id1');
  expect(states(b)).toEqual([]);
});

test('the word of another tab that comes later than the log puts nothing back on the screen', async () => {
  const [a, b] = [tab(), tab()];
  known = 0;
  a.box.send('r', 'one');
  b.box.settle('id1');
  await settled();
  expect(states(b)).toEqual([]);
  // The same with a log that this tab knows up to there.
  known = 5;
  const entry = { clientId: 'id9', room: 'r', body: 'x', at: '', order: 3 };
  for (const { heard } of [...watchers]) {
    heard('id9', { ...entry, state: 'sending' });
    heard('id9', { ...entry, state: 'sent', seq: 5 });
    heard('id9', null);
    heard('id8', { ...entry, clientId: 'id8', state: 'sent', seq: 4 });
  }
  expect([states(a), states(b)]).toEqual([[], []]);
});

test('a message deleted in one tab is gone in all', async () => {
  const [a, b] = [tab(), tab()];
  answers = [refusal()];
  a.box.send('r', 'one');
  await settled();
  b.box.remove('id1');
  expect([states(a), states(b), kept.size]).toEqual([[], [], 0]);
});

test('the messages of a tab that died go out from another one', async () => {
  const [a, b] = [tab(), tab()];
  answers = ['silence'];
  a.box.send('r', 'one');
  await settled();
  close(a);
  fire(b);
  await settled();
  expect(states(b)).toEqual(['one:sent']);
});

test('a server in a hurry is not bothered by the other tabs either', async () => {
  const [a, b] = [tab(), tab()];
  answers = [busy(7)];
  a.box.send('r', 'one');
  await settled();
  b.box.flush();
  await settled();
  expect(posts).toHaveLength(1);
  expect(b.box.heldUntil).toBe(7_000);
});

test('after the end nothing is kept any more, and what is on its way is called back', async () => {
  const a = tab();
  answers = ['silence'];
  a.box.send('r', 'one');
  a.box.send('r', 'two');
  await settled();
  expect(signals.map((signal) => signal.aborted)).toEqual([false]);
  a.box.stop();
  expect(signals.map((signal) => signal.aborted)).toEqual([true]);
  kept.clear();
  clock = 5_000;
  a.box.flush();
  await settled();
  expect(kept.size).toBe(0);
});

test('what is no message is skipped', () => {
  for (const text of [null, '', 'null', '[]', '5', '{', '{"clientId":"a"}']) {
    expect(parseUnsent(text)).toBeNull();
  }
  const entry = { clientId: 'a', room: 'r', body: 'b', state: 'waiting', at: 't', order: 1 };
  expect(parseUnsent(JSON.stringify({ ...entry, state: 'lost' }))).toBeNull();
  expect(parseUnsent(JSON.stringify({ ...entry, why: 5 }))?.why?.status).toBe(0);
  expect(parseUnsent(JSON.stringify(entry))).toEqual(entry);
});
