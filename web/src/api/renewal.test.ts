// Renewal: one refresh serves all tabs and calls, it comes before the token expires, and a network failure signs nobody out.
import { beforeEach, expect, test } from 'vitest';
import { Renewal } from './renewal';

let clock: number;
let shared: { at: number; lives: number } | null;
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
  refreshes = 0;
  answer = 900;
  timers = [];
  chain = Promise.resolve();
});

test('calls refused together renew once, in all tabs together', async () => {
  const [a, b] = [tab(), tab()];
  const since = clock;
  const all = await Promise.all([a.renew(since), a.renew(since), b.renew(since)]);
  expect(all).toEqual(['renewed', 'renewed', 'renewed']);
  expect(refreshes).toBe(1);
});

test('a call refused after a renewal renews again', async () => {
  const a = tab();
  await a.renew(clock);
  clock += 5;
  await a.renew(clock);
  expect(refreshes).toBe(2);
});

test('an ended session is over; a network without an answer is not', async () => {
  const a = tab();
  answer = 'over';
  expect(await a.renew(clock)).toBe('over');
  answer = new Error('no answer');
  await expect(a.renew(clock)).rejects.toThrow();
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
