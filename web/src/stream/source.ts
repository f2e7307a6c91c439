// Owns one event stream and its whole life: opening at a cursor, noticing silence, renewing, waiting, reopening,
// giving up. Must not know rooms or messages; it hands on frames in the order they came.
import type { LogEvent } from '../api/types';
import { Backoff } from './backoff';
import { parseFrame, type Bye, type Opening } from './frames';

/** What the source needs of the browser; tests give their own. */
export interface SourceParts {
  open(url: string): StreamSocket;
  /** Asks the server who is signed in, and renews once if that is refused. */
  probe(): Promise<'in' | 'over' | 'unreachable'>;
  /** Renews the session; throws when there was no answer. */
  renew(): Promise<'renewed' | 'over'>;
  now(): number;
  random(): number;
  after(ms: number, run: () => void): () => void;
}

export const openSocket = (url: string): StreamSocket => new EventSource(url);

/** The part of EventSource that is used. */
export interface StreamSocket {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** Live: the server's first frame has arrived. Away: lost and being reopened. Stopped: the server said not to reconnect. */
export type StreamStatus = 'live' | 'away' | 'stopped';

export interface SourceListener {
  /** An event of the log, in order. */
  event(event: LogEvent): void;
  /** The stream cannot continue from our cursor: fetch snapshots again. It continues from `cursor`. */
  reset(cursor: string): void;
  status(status: StreamStatus): void;
  /** The session has ended. */
  over(): void;
}

const closed = 2;
/** The usual heartbeat (ms), until the server has named its own. */
const usualHeartbeat = 15_000;
/** A ping that is this late (ms) does not come any more. With the usual heartbeat a loss is noticed within 20 s. */
const late = 4_000;
/**
 * A stream that has not begun after this long (ms) is given up: its request may have gone out over a dead connection.
 * Each further one gets twice as long, because the network may just be slow.
 */
const beginWithin = 5_000;
const longestBegin = 40_000;
/** The next look is never sooner (ms). */
const lookAgain = 500;
/** If more events were missed, fetching everything again is quicker than hearing all of them. */
const mostReplayed = 500;

export class LiveSource {
  #parts: SourceParts;
  #listener: SourceListener;
  #socket: StreamSocket | null = null;
  #cursor: string;
  #backoff: Backoff;
  #heard = 0;
  #heartbeat = usualHeartbeat;
  /** The server has begun to answer on this socket. */
  #begun = false;
  #beginWithin = beginWithin;
  #stopWait: (() => void) | null = null;
  #stopWatch = () => {};
  #stopped = false;

  constructor(parts: SourceParts, listener: SourceListener, cursor: string) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.now, parts.random);
    this.#listener = listener;
    this.#cursor = cursor;
  }

  start(): void {
    this.#open();
  }

  stop(): void {
    this.#stopped = true;
    this.#drop();
    this.#stopWait?.();
    this.#stopWatch();
  }

  /** The network may be back, or the page is visible again: try at once. */
  nudge(): void {
    if (this.#stopWait) {
      this.#stopWait();
      this.#stopWait = null;
      this.#open();
    } else {
      this.look();
    }
  }

  /** Notices a connection that has been silent for too long. */
  look(): void {
    if (!this.#socket || this.#patience > 0) return;
    if (!this.#begun) this.#beginWithin = Math.min(2 * this.#beginWithin, longestBegin);
    void this.#lost(false);
  }

  /** The network is known to be gone. */
  offline(): void {
    if (this.#socket) void this.#lost(false);
  }

  #open(): void {
    this.#stopWait = null;
    this.#drop();
    const after = encodeURIComponent(this.#cursor);
    const socket = this.#parts.open(`/v1/events?after=${after}&max_replay=${mostReplayed}`);
    this.#socket = socket;
    this.#heard = this.#parts.now();
    this.#begun = false;
    this.#watch();
    const on = (type: string, run: (text: string) => void) =>
      socket.addEventListener(type, (event) => {
        // A closed EventSource may still deliver queued frames. The next one delivers them again.
        if (this.#socket !== socket) return;
        this.#heard = this.#parts.now();
        run(event.data);
      });
    on('open', () => this.#begins());
    on('hello', (text) => this.#opened(text, false));
    on('reset', (text) => this.#opened(text, true));
    on('ping', () => {});
    on('bye', (text) => this.#bye(parseFrame<Bye>(text)));
    on('message', (text) => {
      const event = parseFrame<LogEvent>(text);
      if (!event) return;
      if (event.cursor) this.#cursor = event.cursor;
      this.#listener.event(event);
    });
    on('error', () => void this.#lost(socket.readyState === closed));
  }

  #begins(): void {
    this.#begun = true;
    this.#beginWithin = beginWithin;
    this.#watch();
  }

  #opened(text: string, reset: boolean): void {
    const frame = parseFrame<Opening>(text);
    if (!frame) return;
    this.#backoff.reset();
    this.#cursor = frame.cursor;
    this.#begins();
    if (frame.heartbeat_seconds) this.#heartbeat = frame.heartbeat_seconds * 1_000;
    if (reset) this.#listener.reset(frame.cursor);
    this.#listener.status('live');
  }

  #bye(frame: Bye | null): void {
    this.#drop();
    if (frame?.reason === 'expired') return void this.#renewAndReopen();
    if (frame?.reason === 'signed_out') return this.#end();
    if (frame?.retry_seconds === undefined) {
      this.stop();
      return this.#listener.status('stopped');
    }
    this.#listener.status('away');
    const least = frame.retry_seconds * 1_000;
    this.#wait(least + this.#parts.random() * least);
  }

  async #renewAndReopen(): Promise<void> {
    try {
      if ((await this.#parts.renew()) === 'over') return this.#end();
      if (!this.#stopped) this.#open();
    } catch {
      this.#listener.status('away');
      this.#wait();
    }
  }

  /** `refused`: the server answered, but not with a stream. Only a request can tell whether the session has ended. */
  async #lost(refused: boolean): Promise<void> {
    this.#drop();
    this.#listener.status('away');
    if (!refused) return this.#wait();
    const first = this.#backoff.fresh;
    const who = await this.#parts.probe();
    if (this.#stopped || this.#socket || this.#stopWait) return;
    if (who === 'over') return this.#end();
    if (who === 'in' && first) {
      this.#backoff.next();
      this.#open();
    } else {
      this.#wait();
    }
  }

  #wait(ms = this.#backoff.next()): void {
    if (this.#stopped) return;
    this.#stopWait?.();
    this.#stopWait = this.#parts.after(ms, () => this.#open());
  }

  #end(): void {
    if (this.#stopped) return;
    this.stop();
    this.#listener.over();
  }

  /** How much longer (ms) the socket may be silent. */
  get #patience(): number {
    const most = this.#begun ? this.#heartbeat + late : this.#beginWithin;
    return this.#heard + most - this.#parts.now();
  }

  #watch(): void {
    this.#stopWatch();
    this.#stopWatch = this.#parts.after(Math.max(this.#patience, lookAgain), () => {
      this.look();
      if (this.#socket) this.#watch();
    });
  }

  #drop(): void {
    this.#socket?.close();
    this.#socket = null;
    this.#stopWatch();
  }
}
