// Unsent messages against a server that answers, does not answer, and refuses.
import { beforeEach, expect, test } from 'vitest';
import { Problem } from '../api/problem';
import { Outbox, type Unsent } from './outbox.svelte';

let posts: { room: string; body: string; clientId: string }[];
let answers: (Problem | number)[];
let saved: Unsent[];
let timers: { ms: number; run: () => void }[];
let dice: number;

function outbox(kept: Unsent[] = []): Outbox {
  let ids = 0;
  return new Outbox({
    async post(room, body, clientId) {
      posts.push({ room, body, clientId });
      const answer = answers.shift() ?? posts.length;
      if (answer instanceof Problem) throw answer;
      const author = { id: 'me', username: 'ada', display_name: 'Ada' };
      return { id: 'm', room, seq: answer, author, body, client_id: clientId, created_at: '' };
    },
    newId: () => `id${++ids}`,
    now: () => new Date(0),
    random: () => dice,
    after(ms, run) {
      const timer = { ms, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    load: () => kept,
    save: (list) => (saved = list),
  });
}

const settled = () => new Promise((resolve) => setTimeout(resolve));
const states = (box: Outbox) => box.unsent.map((entry) => `${entry.body}:${entry.state}`);

beforeEach(() => {
  posts = [];
  answers = [];
  saved = [];
  timers = [];
  dice = 0;
});

test('an answered message stays until the log shows it', async () => {
  const box = outbox();
  box.send('r', 'one');
  expect(states(box)).toEqual(['one:sending']);
  await settled();
  expect(states(box)).toEqual(['one:sent']);
  box.settle('id1');
  expect(states(box)).toEqual([]);
});

test('the log may be faster than the answer', async () => {
  const box = outbox();
  box.send('r', 'one');
  box.settle('id1');
  await settled();
  expect(states(box)).toEqual([]);
});

test('without an answer everything waits, and goes in order under the same ids', async () => {
  const box = outbox();
  answers = [Problem.noAnswer()];
  box.send('r', 'one');
  box.send('r', 'two');
  await settled();
  expect(states(box)).toEqual(['one:waiting', 'two:waiting']);
  answers = [Problem.noAnswer()];
  box.send('r', 'three');
  await settled();
  expect(states(box)).toEqual(['one:waiting', 'two:waiting', 'three:waiting']);
  box.flush();
  await settled();
  expect(states(box)).toEqual(['one:sent', 'two:sent', 'three:sent']);
  expect(posts.map((post) => post.clientId)).toEqual(['id1', 'id1', 'id1', 'id2', 'id3']);
});

test('a refusal fails that message alone; retry and delete are there', async () => {
  const box = outbox();
  answers = [new Problem(422, 'refused', 'Not this'), 2];
  box.send('r', 'one');
  box.send('r', 'two');
  await settled();
  expect(states(box)).toEqual(['one:failed', 'two:sent']);
  box.retry('id1');
  await settled();
  expect(states(box)).toEqual(['one:sent', 'two:sent']);
  box.remove('id1');
  expect(states(box)).toEqual(['two:sent']);
});

test('a server in a hurry is asked again after the time it named', async () => {
  const box = outbox();
  answers = [new Problem(429, 'too_many', 'Slow down', '', [], 7)];
  box.send('r', 'one');
  await settled();
  expect(timers.map((timer) => timer.ms)).toEqual([7_000]);
  timers[0]!.run();
  await settled();
  expect(states(box)).toEqual(['one:sent']);
});

test('a reload loses nothing: what was under way is tried again, what failed stays', async () => {
  const first = outbox();
  answers = [new Problem(422, 'refused', 'Not this'), Problem.noAnswer()];
  first.send('r', 'one');
  first.send('r', 'two');
  await settled();
  const second = outbox(saved);
  second.flush();
  await settled();
  expect(states(second)).toEqual(['one:failed', 'two:sent']);
  expect(posts.at(-1)!.clientId).toBe('id2');
});

test('a snapshot of the log settles what it contains', async () => {
  const box = outbox();
  answers = [4, 9];
  box.send('r', 'one');
  box.send('r', 'two');
  await settled();
  box.settleUpTo('r', 5);
  expect(states(box)).toEqual(['two:sent']);
});

test('waits grow while nothing answers, and begin anew when the connection is back', async () => {
  dice = 1;
  answers = [1, 2, 3, 4].map(() => Problem.noAnswer());
  const box = outbox();
  box.send('r', 'one');
  await settled();
  const waits = [timers[0]!.ms];
  for (const again of [() => timers[0]!.run(), () => timers[0]!.run(), () => box.flush()]) {
    again();
    await settled();
    waits.push(timers[0]!.ms);
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 1_000]);
});
