// Owns the sharing of one stream by all tabs: one tab leads (it holds a lock and the stream), the others listen on
// a channel, and one of them takes over when it goes. Must not know rooms or messages.
import type { LogEvent } from '../api/types';
import type { LiveSource, SourceListener, StreamStatus } from './source';

type Word =
  | { kind: 'event'; event: LogEvent }
  | { kind: 'reset'; cursor: string }
  | { kind: 'status'; status: StreamStatus }
  | { kind: 'over' }
  /** A tab becomes the leader and opens at this cursor. */
  | { kind: 'lead'; cursor: string }
  /** A tab asks the leader for its status, and to look whether the stream is alive. */
  | { kind: 'who' };

/** What sharing needs of the browser; without locks or a channel every tab has a stream of its own. */
export interface SharedParts {
  source(listener: SourceListener, cursor: string): LiveSource;
  locks: Pick<LockManager, 'request'> | null;
  channel: Pick<BroadcastChannel, 'postMessage' | 'onmessage' | 'close'> | null;
  now(): number;
  visible(): boolean;
  after(ms: number, run: () => void): () => void;
}

const lockName = 'parlor-stream';
/** A visible tab asks the leader this often (ms) how the stream is: a hidden leader's own timers may be a minute late. */
const beat = 5_000;
/** A leader that has not answered for this long (ms) is frozen. */
const deaf = 18_000;

export class SharedStream {
  #parts: SharedParts;
  #listener: SourceListener;
  #source: LiveSource | null = null;
  #cursor: string | null = null;
  #status: StreamStatus = 'away';
  /** A new leader opened its stream at another cursor than ours, so nobody has received the events between the two. */
  #stale = false;
  #heard: number;
  #checked: number;
  #stopBeat = () => {};
  #release = () => {};
  #waiting: AbortController | null = null;
  #stopped = false;

  constructor(parts: SharedParts, listener: SourceListener) {
    this.#parts = parts;
    this.#listener = listener;
    this.#heard = this.#checked = parts.now();
    // Messages arrive from here on. The listener keeps events back until its first snapshot has arrived.
    if (parts.channel && parts.locks) {
      parts.channel.onmessage = (event: MessageEvent<Word>) => this.#hear(event.data);
    }
  }

  /** Joins after the first snapshot has arrived; `cursor` is the snapshot's. */
  start(cursor: string): void {
    this.#cursor = cursor;
    if (!this.#parts.locks || !this.#parts.channel) return this.#lead();
    this.#say({ kind: 'who' });
    this.#queue();
    this.#beat();
  }

  /** A newer snapshot has arrived. */
  moved(cursor: string): void {
    if (!this.#source) this.#cursor = cursor;
  }

  stop(): void {
    this.#stopped = true;
    this.#stopBeat();
    this.#waiting?.abort();
    this.#unlead();
    if (this.#parts.channel) {
      this.#parts.channel.onmessage = null;
      this.#parts.channel.close();
    }
  }

  nudge(): void {
    this.#source?.nudge();
  }

  offline(): void {
    this.#source?.offline();
  }

  #queue(steal = false): void {
    this.#waiting?.abort();
    this.#waiting = new AbortController();
    const hold = () =>
      new Promise<void>((release) => {
        this.#release = release;
        this.#lead();
      });
    // A stealing request may carry no signal.
    const options = steal ? { steal } : { signal: this.#waiting.signal };
    this.#parts.locks!.request(lockName, options, hold).catch(() => {
      // We aborted, or another tab stole the lock: follow that tab.
      if (!this.#source || this.#stopped) return;
      this.#unlead();
      this.#queue();
    });
  }

  #lead(): void {
    if (this.#stopped || this.#cursor === null) return this.#release();
    this.#stale = false;
    this.#say({ kind: 'lead', cursor: this.#cursor });
    this.#source = this.#parts.source(
      {
        event: (event) => this.#pass({ kind: 'event', event }),
        reset: (cursor) => this.#pass({ kind: 'reset', cursor }),
        status: (status) => this.#pass({ kind: 'status', status }),
        over: () => this.#pass({ kind: 'over' }),
      },
      this.#cursor,
    );
    this.#source.start();
  }

  #unlead(): void {
    this.#source?.stop();
    this.#source = null;
    this.#release();
  }

  #pass(word: Word): void {
    this.#say(word);
    this.#take(word);
  }

  #say(word: Word): void {
    if (this.#parts.locks) this.#parts.channel?.postMessage(word);
  }

  #hear(word: Word): void {
    if (word.kind === 'who') {
      this.#source?.look();
      if (this.#source) this.#say({ kind: 'status', status: this.#status });
      return;
    }
    // A leader that has lost its lock may still send one last message.
    if (this.#source) return;
    this.#heard = this.#parts.now();
    this.#take(word);
  }

  #take(word: Word): void {
    switch (word.kind) {
      case 'event':
        if (word.event.cursor) this.#cursor = word.event.cursor;
        return this.#listener.event(word.event);
      case 'reset':
        this.#stale = false;
        this.#cursor = word.cursor;
        return this.#listener.reset(word.cursor);
      case 'lead':
        this.#stale = word.cursor !== this.#cursor;
        return;
      case 'status':
        this.#status = word.status;
        this.#listener.status(word.status);
        // Not earlier: a snapshot taken before the leader's stream is open could miss the events between the two.
        if (word.status === 'live' && this.#stale) {
          this.#stale = false;
          this.#listener.reset(this.#cursor ?? '');
        }
        return;
      case 'over':
        return this.#listener.over();
      case 'who':
    }
  }

  #beat(): void {
    this.#stopBeat = this.#parts.after(beat, () => {
      const now = this.#parts.now();
      // After the computer has slept, the leader has been silent too. Give it time to wake up.
      if (now - this.#checked > 2 * beat) this.#heard = now;
      this.#checked = now;
      if (!this.#source && this.#parts.visible()) {
        this.#say({ kind: 'who' });
        if (now - this.#heard > deaf) {
          this.#heard = now;
          this.#queue(true);
        }
      }
      this.#beat();
    });
  }
}
