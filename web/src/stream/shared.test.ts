// Tabs that share one stream: one leads, the others listen, and the next one takes over without losing events.
import { beforeEach, expect, test } from 'vitest';
import type { LogEvent } from '../api/types';
import { SharedStream, type SharedParts } from './shared';
import type { LiveSource, SourceListener } from './source';

interface Turn {
  hold: () => Promise<void>;
  end: (error?: Error) => void;
}

/** One lock, given in the order of asking. */
class Locks {
  #queue: Turn[] = [];

  request = ((_name: string, options: LockOptions, hold: () => Promise<void>) =>
    new Promise<void>((resolve, reject) => {
      const entry: Turn = { hold, end: (error?: Error) => (error ? reject(error) : resolve()) };
      options.signal?.addEventListener('abort', () => {
        if (this.#queue.indexOf(entry) > 0) this.#remove(entry, new Error('aborted'));
      });
      if (options.steal && this.#queue.length) {
        this.#queue.shift()!.end(new Error('stolen'));
        this.#queue.unshift(entry);
        return this.#grant();
      }
      this.#queue.push(entry);
      if (this.#queue.length === 1) this.#grant();
    })) as unknown as LockManager['request'];

  #grant() {
    const first = this.#queue[0];
    void first?.hold().then(() => this.#remove(first));
  }

  #remove(entry: Turn, error?: Error) {
    const first = this.#queue[0] === entry;
    this.#queue = this.#queue.filter((other) => other !== entry);
    entry.end(error);
    if (first) this.#grant();
  }
}

class Channel {
  static all: Channel[] = [];
  onmessage: ((event: MessageEvent) => void) | null = null;
  constructor() {
    Channel.all.push(this);
  }
  postMessage(data: unknown) {
    for (const other of Channel.all) {
      if (other !== this) other.onmessage?.({ data } as MessageEvent);
    }
  }
  close() {
    Channel.all = Channel.all.filter((other) => other !== this);
  }
}

interface Tab {
  shared: SharedStream;
  told: string[];
  /** The stream this tab opened, if it leads. */
  source: { cursor: string; listener: SourceListener; stopped: boolean; looks: number } | null;
  beat(): void;
}

let locks: Locks | null;
let clock: number;

function tab(cursor: string): Tab {
  const told: string[] = [];
  const self = { told, source: null, beat: () => {} } as unknown as Tab;
  const parts: SharedParts = {
    source(listener, cursor) {
      const source = { cursor, listener, stopped: false, looks: 0 };
      self.source = source;
      const stop = () => void (source.stopped = true);
      const look = () => void source.looks++;
      return { start() {}, stop, look, nudge() {}, offline() {} } as unknown as LiveSource;
    },
    locks,
    channel: new Channel(),
    now: () => clock,
    visible: () => true,
    after(_ms, run) {
      self.beat = run;
      return () => {};
    },
  };
  self.shared = new SharedStream(parts, {
    event: (event) => void told.push(`event ${event.seq}`),
    reset: () => void told.push('reset'),
    // A tab reports `away` until it hears from the leader.
    status: (status) => void (status === 'away' || told.push(status)),
    over: () => void told.push('over'),
  });
  self.shared.start(cursor);
  return self;
}

const event = (seq: number): LogEvent => ({ type: 'message.posted', seq, cursor: `c${seq}` });
const settled = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  locks = new Locks();
  Channel.all = [];
  clock = 0;
});

test('one tab opens the stream, all hear it once and in order', () => {
  const [a, b] = [tab('c0'), tab('c0')];
  expect(b.source).toBeNull();
  a.source!.listener.status('live');
  a.source!.listener.event(event(1));
  a.source!.listener.event(event(2));
  expect(a.told).toEqual(['live', 'event 1', 'event 2']);
  expect(b.told).toEqual(['live', 'event 1', 'event 2']);
});

test('a tab that comes later learns how the stream is', () => {
  const a = tab('c0');
  a.source!.listener.status('live');
  expect(tab('c0').told).toEqual(['live']);
});

test('the next tab goes on where the last event was, and nobody fetches anew', async () => {
  const [a, b, c] = [tab('c0'), tab('c0'), tab('c0')];
  a.source!.listener.event(event(1));
  a.shared.stop();
  await settled();
  expect(b.source!.cursor).toBe('c1');
  b.source!.listener.status('live');
  expect(c.told).toEqual(['event 1', 'live']);
});

test('who was elsewhere than the new leader fetches anew, once its stream is open', async () => {
  const a = tab('c0');
  const heir = tab('c5');
  const c = tab('c0');
  a.shared.stop();
  await settled();
  expect(heir.source!.cursor).toBe('c5');
  expect(c.told).toEqual([]);
  heir.source!.listener.status('live');
  expect(c.told).toEqual(['live', 'reset']);
  heir.source!.listener.status('live');
  expect(c.told).toEqual(['live', 'reset', 'live']);
});

test('a leader that is frozen is replaced, and follows when it wakes', async () => {
  const [a, b] = [tab('c0'), tab('c0')];
  const frozen = Channel.all[0]!;
  const { onmessage } = frozen;
  frozen.onmessage = null;
  for (clock = 5_000; clock <= 20_000; clock += 5_000) b.beat();
  await settled();
  expect(a.source!.stopped).toBe(true);
  expect(b.source!.stopped).toBe(false);
  frozen.onmessage = onmessage;
  b.source!.listener.event(event(1));
  expect(a.told).toContain('event 1');
});

test('a leader that answers stays, and looks after its stream when it is asked', async () => {
  const [a, b] = [tab('c0'), tab('c0')];
  const before = a.source!.looks;
  for (clock = 5_000; clock <= 60_000; clock += 5_000) b.beat();
  await settled();
  expect(a.source!.stopped).toBe(false);
  expect(a.source!.looks - before).toBe(12);
});

test('after a sleep the leader gets time to speak first', async () => {
  const [a, b] = [tab('c0'), tab('c0')];
  clock = 3_600_000;
  b.beat();
  await settled();
  expect(a.source!.stopped).toBe(false);
  expect(b.source).toBeNull();
});

test('without locks every tab has a stream of its own and hears no other', () => {
  locks = null;
  const [a, b] = [tab('c0'), tab('c0')];
  a.source!.listener.event(event(1));
  expect(b.source).not.toBeNull();
  expect(b.told).toEqual([]);
});
