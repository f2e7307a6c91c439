// Owns the messages that the server has not confirmed: queued, being sent, waiting, failed. Text is never lost here: it
// leaves only when the log shows it, or its author deletes it. Must not know the screen or the stream.
import { Problem } from '../api/problem';
import type { Message } from '../api/types';
import { Backoff } from '../stream/backoff';

export interface Unsent {
  clientId: string;
  room: string;
  body: string;
  /** queued: not tried. waiting: tried without an answer, will be again. failed: refused. sent: on its way back. */
  state: 'queued' | 'sending' | 'waiting' | 'failed' | 'sent';
  at: string;
  why?: Problem;
  /** The seq the server gave, once it answered. */
  seq?: number;
}

export interface OutboxParts {
  post(room: string, body: string, clientId: string): Promise<Message>;
  newId(): string;
  now(): Date;
  random(): number;
  after(ms: number, run: () => void): () => void;
  load(): Unsent[];
  save(unsent: Unsent[]): void;
}

export class Outbox {
  #parts: OutboxParts;
  #busy = new Set<string>();
  #backoff: Backoff;
  #stopWait: (() => void) | null = null;
  #stopped = false;

  unsent = $state.raw<Unsent[]>([]);

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(() => parts.now().getTime(), parts.random);
    // A message that was being sent when the page closed is sent again. The server recognises repeats by their id.
    this.unsent = parts
      .load()
      .map((entry) => (entry.state === 'failed' ? entry : { ...entry, state: 'queued' }));
  }

  in(room: string): Unsent[] {
    return this.unsent.filter((entry) => entry.room === room);
  }

  send(room: string, body: string): void {
    const at = this.#parts.now().toISOString();
    const entry: Unsent = { clientId: this.#parts.newId(), room, body, state: 'queued', at };
    this.#set([...this.unsent, entry]);
    void this.#run(room);
  }

  retry(clientId: string): void {
    const entry = this.unsent.find((entry) => entry.clientId === clientId);
    if (!entry) return;
    this.#update(clientId, { state: 'queued', why: undefined });
    void this.#run(entry.room);
  }

  remove(clientId: string): void {
    this.#set(this.unsent.filter((entry) => entry.clientId !== clientId));
  }

  /** The connection is back: try everything that waits, in order. */
  flush(): void {
    this.#backoff.reset();
    this.#again();
  }

  /** The log shows this message of ours. */
  settle(clientId: string | undefined): void {
    if (clientId && this.unsent.some((entry) => entry.clientId === clientId)) this.remove(clientId);
  }

  /** The log of a room is known up to `seq`, so messages confirmed up to there are in it. */
  settleUpTo(room: string, seq: number): void {
    const shown = (entry: Unsent) =>
      entry.room === room && entry.seq !== undefined && entry.seq <= seq;
    if (this.unsent.some(shown)) this.#set(this.unsent.filter((entry) => !shown(entry)));
  }

  stop(): void {
    this.#stopped = true;
    this.#stopWait?.();
  }

  #again(): void {
    this.#stopWait?.();
    this.#stopWait = null;
    for (const room of new Set(this.unsent.map((entry) => entry.room))) void this.#run(room);
  }

  /** Sends what is queued for a room, one after the other, so that order is kept. */
  async #run(room: string): Promise<void> {
    if (this.#busy.has(room)) return;
    this.#busy.add(room);
    // Waiting messages are older than the queued ones, so they must go first to keep the order.
    this.#turn(room, 'waiting', 'queued');
    try {
      for (;;) {
        const next = this.unsent.find((entry) => entry.room === room && entry.state === 'queued');
        if (!next || this.#stopped) return;
        if (!(await this.#post(next))) return;
      }
    } finally {
      this.#busy.delete(room);
    }
  }

  /** False when sending more is useless now. */
  async #post({ clientId, room, body }: Unsent): Promise<boolean> {
    this.#update(clientId, { state: 'sending', why: undefined });
    try {
      const message = await this.#parts.post(room, body, clientId);
      this.#backoff.reset();
      this.#update(clientId, { state: 'sent', seq: message.seq });
      return true;
    } catch (error) {
      const why = error instanceof Problem ? error : Problem.noAnswer();
      const again = why.passing || why.status === 401;
      this.#update(clientId, { state: again ? 'waiting' : 'failed', why });
      if (!again) return true;
      this.#turn(room, 'queued', 'waiting');
      this.#later(why.retryAfter * 1_000);
      return false;
    }
  }

  #later(least: number): void {
    if (this.#stopWait || this.#stopped) return;
    const wait = Math.max(least, this.#backoff.next());
    this.#stopWait = this.#parts.after(wait, () => this.#again());
  }

  #turn(room: string, from: Unsent['state'], to: Unsent['state']): void {
    const turns = (entry: Unsent) => entry.room === room && entry.state === from;
    if (!this.unsent.some(turns)) return;
    this.#set(this.unsent.map((entry) => (turns(entry) ? { ...entry, state: to } : entry)));
  }

  #update(clientId: string, change: Partial<Unsent>): void {
    this.#set(
      this.unsent.map((entry) => (entry.clientId === clientId ? { ...entry, ...change } : entry)),
    );
  }

  #set(unsent: Unsent[]): void {
    this.unsent = unsent;
    this.#parts.save(unsent.map(({ why: _, ...entry }) => entry));
  }
}
