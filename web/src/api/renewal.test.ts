// Renewal: one refresh serves all tabs and calls, it comes before the token expires, and a network failure signs nobody out.
import { beforeEach, expect, test } from 'vitest';
import { parseMark, Renewal, type Mark } from './renewal';

let clock: number;
let shared: Mark | null;
let ids: number;
let refreshes: number;
let answer: number | 'over' | Error;
let timers: { ms: number; run: () => void; off: boolean }[];
let chain: Promise<unknown>;

function tab(): Renewal {
  return new Renewal({
    async refresh() {
      refreshes++;
      clock += 10;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    alone(work) {
      const turn = chain.then(work);
      chain = turn.catch(() => {});
      return turn;
    },
    load: () => shared,
    save: (renewed) => void (shared = renewed),
    newId: () => `mark${++ids}`,
    now: () => clock,
    after(ms, run) {
      const timer = { ms, run, off: false };
      timers.push(timer);
      return () => void (timer.off = true);
    },
  });
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  clock = 1_000_000;
  shared = null;
  ids = 0;
  refreshes = 0;
  answer = 900;
  timers = [];
  chain = Promise.resolve();
});

test('calls refused together renew once, in all tabs together', async () => {
  const [a, b] = [tab(), tab()];
  const all = await Promise.all([a.renew(a.mark), a.renew(a.mark), b.renew(b.mark)]);
  expect(all).toEqual(['renewed', 'renewed', 'renewed']);
  expect(refreshes).toBe(1);
});

test('a call refused after a renewal renews again', async () => {
  const a = tab();
  await a.renew(a.mark);
  await a.renew(a.mark);
  expect(refreshes).toBe(2);
});

test('an ended session is over; a network without an answer is not', async () => {
  const a = tab();
  answer = 'over';
  expect(await a.renew(a.mark)).toBe('over');
  answer = new Error('no answer');
  await expect(a.renew(a.mark)).rejects.toThrow();
});

test('renews at four fifths of the life, and every tab counts on', async () => {
  const [a, b] = [tab(), tab()];
  a.started(900);
  b.schedule();
  expect(timers.map((timer) => timer.ms)).toEqual([720_000, 720_000]);
  clock += 720_000;
  for (const timer of timers.splice(0)) timer.run();
  await settled();
  expect(refreshes).toBe(1);
  const waiting = timers.filter((timer) => !timer.off);
  expect(waiting).toHaveLength(2);
  for (const timer of waiting) expect(timer.ms).toBeGreaterThan(719_000);
});

test.each([7_200_000, -7_200_000])(
  'a clock that was wrong by %i ms at the sign-in changes nothing once it is right',
  async (wrong) => {
    const a = tab();
    clock += wrong;
    a.started(900);
    clock -= wrong;
    // The access token has expired: the call is refused, and the renewal is a real one.
    expect(await a.renew(a.mark)).toBe('renewed');
    expect(refreshes).toBe(1);
    a.schedule();
    const due = timers.filter((timer) => !timer.off).map((timer) => timer.ms);
    for (const ms of due) expect(ms).toBeLessThanOrEqual(720_000);
  },
);

test('a clock set forward or back puts off the next renewal by no more than one life', () => {
  for (const wrong of [7_200_000, -7_200_000]) {
    const a = tab();
    timers = [];
    a.started(900);
    clock += wrong;
    tab().schedule();
    const [, second] = timers.map((timer) => timer.ms);
    expect(second).toBe(wrong > 0 ? 0 : 720_000);
  }
});

const status = (status: number) => new Response(null, { status });

test('a refused call goes out again after a renewal, and is over when there is none', async () => {
  const a = tab();
  a.started(900);
  const answers = [401, 401, 200, 401];
  const ends: string[] = [];
  const send = () =>
    a.send(
      async () => status(answers.shift()!),
      () => ends.push('over'),
    );
  expect((await send()).status).toBe(200);
  expect([refreshes, ends]).toEqual([2, []]);
  answer = 'over';
  expect((await send()).status).toBe(401);
  expect([answers, ends]).toEqual([[], ['over']]);
});

test('a call that is refused always ends the session after three attempts', async () => {
  const a = tab();
  let calls = 0;
  let ends = 0;
  const refused = async () => (calls++, status(401));
  await a.send(refused, () => void ends++);
  expect([calls, ends]).toEqual([3, 1]);
});

test.each([false, true])(
  'a call never goes out in the name of who signed in meanwhile; renewed by them: %s',
  async (renewed) => {
    const [a, b] = [tab(), tab()];
    a.started(900);
    let calls = 0;
    const refused = async () => {
      calls++;
      b.ended();
      b.started(900);
      if (renewed) await b.renew(b.mark);
      return status(401);
    };
    const ends: string[] = [];
    expect((await a.send(refused, () => ends.push('over'))).status).toBe(401);
    expect([calls, ends]).toEqual([1, []]);
  },
);

test('what is no mark counts as none', () => {
  const broken = [
    '',
    'null',
    '5',
    '{',
    '{}',
    '[]',
    '{"id":1,"session":"s","at":2,"lives":3}',
    '{"session":"s","at":2,"lives":3}',
    '{"id":"a","at":2,"lives":3}',
    '{"id":"a","session":"s","at":2,"lives":-3}',
  ];
  for (const text of [null, ...broken]) {
    expect(parseMark(text)).toBeNull();
  }
  const mark = { id: 'a', session: 's', at: 2, lives: 3 };
  expect(parseMark(JSON.stringify(mark))).toEqual(mark);
});
