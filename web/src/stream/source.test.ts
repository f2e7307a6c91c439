// The life of one stream: its frames, and what happens on silence, refusals and `bye`.
import { beforeEach, expect, test } from 'vitest';
import { LiveSource, type SourceListener, type SourceParts, type StreamSocket } from './source';

class Socket implements StreamSocket {
  readyState = 0;
  closed = false;
  #listeners = new Map<string, ((event: MessageEvent<string>) => void)[]>();
  constructor(readonly url: string) {}

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void) {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  close() {
    this.closed = true;
  }

  say(type: string, data: object = {}) {
    const event = { data: JSON.stringify(data) } as MessageEvent<string>;
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }
}

let sockets: Socket[];
let timers: { ms: number; run: () => void; off?: boolean }[];
let told: string[];
let clock: number;
let who: 'in' | 'over' | 'unreachable';
let renewed: 'renewed' | 'over' | Error;

const parts: SourceParts = {
  open(url) {
    sockets.push(new Socket(url));
    return sockets.at(-1)!;
  },
  probe: async () => who,
  async renew() {
    if (renewed instanceof Error) throw renewed;
    return renewed;
  },
  now: () => clock,
  random: () => 0.5,
  after(ms, run) {
    const timer = { ms, run, off: false };
    timers.push(timer);
    return () => void (timer.off = true);
  },
};

const listener: SourceListener = {
  event: (event) => void told.push(`event ${event.seq}`),
  reset: (cursor) => void told.push(`reset ${cursor}`),
  status: (status) => void told.push(status),
  over: () => void told.push('over'),
};

const settled = () => new Promise((resolve) => setTimeout(resolve));
const last = () => sockets.at(-1)!;
const isWatch = ({ ms }: { ms: number }) => ms === 5_000 || ms > 9_000;
const watch = () => {
  for (const timer of timers.splice(0)) if (!timer.off) timer.run();
};
/** Runs the pending timers except the watchdog's. */
function fire() {
  for (const timer of timers.splice(0)) {
    if (isWatch(timer)) timers.push(timer);
    else if (!timer.off) timer.run();
  }
}
const hello = { type: 'hello', cursor: 'c0', heartbeat_seconds: 15 };

function open(): LiveSource {
  const source = new LiveSource(parts, listener, 'start');
  source.start();
  last().say('hello', hello);
  return source;
}

beforeEach(() => {
  sockets = [];
  timers = [];
  told = [];
  clock = 0;
  who = 'in';
  renewed = 'renewed';
});

test('opens after the snapshot, and after a loss where the last event was', async () => {
  open();
  expect(last().url).toBe('/v1/events?after=start&max_replay=500');
  last().say('message', { type: 'message.posted', seq: 1, cursor: 'c1' });
  last().say('error');
  await settled();
  expect(told).toEqual(['live', 'event 1', 'away']);
  fire();
  expect(last().url).toBe('/v1/events?after=c1&max_replay=500');
});

test('ephemeral frames do not move the cursor, and what is no frame is skipped', () => {
  const source = open();
  last().say('message', { type: 'typing' });
  last().say('message', { nothing: true });
  source.offline();
  source.nudge();
  expect(last().url).toBe('/v1/events?after=c0&max_replay=500');
});

test('frames of a closed socket count no more', () => {
  const source = open();
  const old = last();
  source.offline();
  old.say('message', { type: 'message.posted', seq: 1, cursor: 'c1' });
  expect(told).toEqual(['live', 'away']);
});

test('a reset is told before the stream goes on from its cursor', async () => {
  open();
  last().say('reset', { type: 'reset', cursor: 'c9', reason: 'unknown_cursor' });
  expect(told).toEqual(['live', 'reset c9', 'live']);
  last().say('error');
  await settled();
  fire();
  expect(last().url).toBe('/v1/events?after=c9&max_replay=500');
});

test('a missed heartbeat is a loss within 20 s, a ping is a sign of life', () => {
  open();
  clock = 15_100;
  last().say('ping', { type: 'ping' });
  clock = 30_200;
  watch();
  expect(last().closed).toBe(false);
  clock = 34_100;
  watch();
  expect(last().closed).toBe(true);
  expect(told).toEqual(['live', 'away']);
  // Nothing looks after a socket that is gone.
  expect(timers.filter((timer) => !timer.off)).toHaveLength(1);
});

test('the next look comes when the time is up, not long after', () => {
  open();
  clock = 1_000;
  last().say('ping', { type: 'ping' });
  clock = 19_000;
  watch();
  expect(timers.filter((timer) => !timer.off).map((timer) => timer.ms)).toEqual([1_000]);
});

test('a stream that does not begin is given up, and the next one gets longer', async () => {
  new LiveSource(parts, listener, 'start').start();
  const begins: number[] = [];
  for (let round = 0; round < 5; round++) {
    const wait = timers.find((timer) => !timer.off)!;
    begins.push(wait.ms);
    clock += wait.ms;
    watch();
    await settled();
    watch();
  }
  expect(begins).toEqual([5_000, 10_000, 20_000, 40_000, 40_000]);
  // The answer begins: from here on it is the heartbeat that counts.
  last().say('open');
  clock += 15_000;
  watch();
  expect(last().closed).toBe(false);
});

test('a refused stream asks who we are: in means again, over means the sign-in page', async () => {
  const source = new LiveSource(parts, listener, 'start');
  source.start();
  last().readyState = 2;
  last().say('error');
  await settled();
  expect(sockets).toHaveLength(2);
  // Refused again: it waits and does not loop at once.
  last().readyState = 2;
  last().say('error');
  await settled();
  expect(sockets).toHaveLength(2);
  fire();
  expect(sockets).toHaveLength(3);
  who = 'over';
  last().readyState = 2;
  last().say('error');
  await settled();
  expect(told.at(-1)).toBe('over');
});

test('farewells: expired renews at once, shutdown waits, signed_out and no return are final', async () => {
  open();
  last().say('bye', { type: 'bye', reason: 'expired' });
  await settled();
  expect(sockets).toHaveLength(2);
  last().say('hello', hello);
  last().say('bye', { type: 'bye', reason: 'shutdown', retry_seconds: 4 });
  const wait = timers.find((timer) => !timer.off && !isWatch(timer))!;
  expect(wait.ms).toBe(6_000);
  fire();
  last().say('hello', hello);
  last().say('bye', { type: 'bye', reason: 'something_new' });
  expect(told.at(-1)).toBe('stopped');
  open();
  last().say('bye', { type: 'bye', reason: 'signed_out' });
  expect(told.at(-1)).toBe('over');
});

test('expired while the server is away waits; expired after the session ended is over', async () => {
  open();
  renewed = new Error('no answer');
  last().say('bye', { type: 'bye', reason: 'expired' });
  await settled();
  expect(told.at(-1)).toBe('away');
  renewed = 'over';
  fire();
  last().say('bye', { type: 'bye', reason: 'expired' });
  await settled();
  expect(told.at(-1)).toBe('over');
});
