// Owns the messages that the server has not confirmed: queued, being sent, waiting, failed. Text is never lost here: it
// is kept for other tabs and later visits, and leaves only when the log shows it, or its author deletes it. Must not
// know the screen or the stream.
import { Problem } from '../api/problem';
import type { Message } from '../api/types';
import { Backoff } from '../stream/backoff';
import { isDue, type Unsent, type UnsentStore } from './unsent';

export type { Unsent } from './unsent';

export interface OutboxParts {
  post(room: string, body: string, clientId: string, signal: AbortSignal): Promise<Message>;
  /** The seq up to which this tab knows the room's log. */
  known(room: string): number;
  newId(): string;
  now(): Date;
  /** Ms that never go back. */
  ticks(): number;
  random(): number;
  after(ms: number, run: () => void): () => void;
  unsent: UnsentStore;
  /** Runs `work` while no other tab of this person runs its own for the room; `waited`: another tab did until now. */
  alone(room: string, work: (waited: boolean) => Promise<void>): Promise<void>;
}

/** A post that has had no answer for this long (ms) when the connection is back was lost with the old connection. */
const lostAfter = 3_000;
/** Another tab's message that is still unsent after this long (ms) is looked after here: its tab may be gone. */
const lookAfter = 5_000;
/** After this long (ms) a tab lets others send to a room: one that holds the lock for long counts as frozen. */
const turnFor = 5_000;
/** What another tab stored becomes visible here within this time (ms). */
const wordWithin = 300;

export class Outbox {
  #parts: OutboxParts;
  /** Rooms that this tab sends to, or waits to send to. */
  #busy = new Set<string>();
  /** Posts without an answer yet. */
  #posts = new Map<string, { since: number; abort: AbortController }>();
  #backoff: Backoff;
  #wait: { until: number; stop: () => void } | null = null;
  #unwatch: () => void;
  #stopped = false;

  unsent = $state.raw<Unsent[]>([]);
  /** Until these ticks the server wants no message of ours. */
  heldUntil = $state(0);

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.ticks, parts.random);
    for (const entry of parts.unsent.load()) {
      // What the server has confirmed is in the log, and pages of the log are fetched after this.
      if (entry.state === 'sent') parts.unsent.remove(entry.clientId);
      else this.#put(entry);
    }
    this.#unwatch = parts.unsent.watch((clientId, entry) => this.#hear(clientId, entry));
  }

  in(room: string): Unsent[] {
    return this.unsent.filter((entry) => entry.room === room);
  }

  /** Something was tried without success and waits for the connection, or for its turn. */
  get waits(): boolean {
    return this.unsent.some((entry) => entry.state === 'waiting');
  }

  send(room: string, body: string): void {
    const at = this.#parts.now().toISOString();
    const order = 1 + Math.max(0, ...this.unsent.map((entry) => entry.order));
    this.#keep({ clientId: this.#parts.newId(), room, body, state: 'queued', at, order });
    this.#run(room);
  }

  retry(clientId: string): void {
    const entry = this.#find(clientId);
    if (!entry) return;
    this.#update(clientId, { state: 'queued', why: undefined });
    this.#run(entry.room);
  }

  remove(clientId: string): void {
    this.#take(clientId);
    if (!this.#stopped) this.#parts.unsent.remove(clientId);
  }

  /** The connection is back, or the person asks for it: try everything that waits, in order. */
  flush(): void {
    this.#backoff.reset();
    const now = this.#parts.ticks();
    for (const { since, abort } of this.#posts.values()) if (now - since > lostAfter) abort.abort();
    if (this.heldUntil > now) this.#later(this.heldUntil - now);
    else this.#again();
  }

  /** The log shows this message of ours. */
  settle(clientId: string | undefined): void {
    if (clientId && this.#find(clientId)) this.remove(clientId);
  }

  /** The log of a room is known up to `seq`, so messages confirmed up to there are in it. */
  settleUpTo(room: string, seq: number): void {
    for (const entry of this.in(room)) {
      if (entry.seq !== undefined && entry.seq <= seq) this.remove(entry.clientId);
    }
  }

  stop(): void {
    this.#stopped = true;
    // Whoever signs in next must not send them.
    for (const { abort } of this.#posts.values()) abort.abort();
    this.#unwatch();
    this.#wait?.stop();
  }

  #again(): void {
    this.#wait?.stop();
    this.#wait = null;
    for (const room of new Set(this.unsent.filter(isDue).map((entry) => entry.room))) {
      this.#run(room);
    }
  }

  #run(room: string): void {
    if (this.#busy.has(room) || this.#stopped) return;
    this.#busy.add(room);
    let more = false;
    const work = async (waited: boolean) => {
      try {
        if (waited && this.#due(room)) await this.#pause(wordWithin);
        more = await this.#drain(room);
      } finally {
        this.#busy.delete(room);
      }
    };
    // Without the lock this tab tries again later.
    this.#parts.alone(room, work).then(
      () => more && this.#run(room),
      () => {
        this.#busy.delete(room);
        this.#later(lookAfter);
      },
    );
  }

  /** Sends what is due in a room, one after the other, so that order is kept. True when its turn is over before that. */
  async #drain(room: string): Promise<boolean> {
    const until = this.#parts.ticks() + turnFor;
    while (this.#parts.ticks() < until) {
      const next = this.#due(room);
      if (!next || this.#stopped) return false;
      const wait = this.heldUntil - this.#parts.ticks();
      if (wait > 0) this.#hold(room, wait);
      if (wait > 0 || !(await this.#post(next))) return false;
    }
    return true;
  }

  /** False when sending more is useless now. */
  async #post({ clientId, room, body, state }: Unsent): Promise<boolean> {
    // One that has waited is shown as waiting until it succeeds: the page must not flicker with each attempt.
    if (state !== 'waiting') this.#update(clientId, { state: 'sending', why: undefined });
    const abort = new AbortController();
    this.#posts.set(clientId, { since: this.#parts.ticks(), abort });
    try {
      const message = await this.#parts.post(room, body, clientId, abort.signal);
      this.#backoff.reset();
      this.#update(clientId, { state: 'sent', seq: message.seq });
      const sent = this.#find(clientId);
      if (sent && !this.#isAhead(sent)) this.remove(clientId);
      return true;
    } catch (error) {
      if (abort.signal.aborted) return true;
      const why = error instanceof Problem ? error : Problem.noAnswer();
      const again = why.passing || why.status === 401;
      this.#update(clientId, { state: again ? 'waiting' : 'failed', why });
      if (!again) return true;
      const named = this.#holdFor(why);
      this.#hold(room, named || this.#backoff.wait(why));
      return false;
    } finally {
      this.#posts.delete(clientId);
    }
  }

  /** Nothing more goes out in this room for a while; what is due shows that it waits. */
  #hold(room: string, ms: number): void {
    const why = this.#due(room)?.why;
    for (const entry of this.in(room)) {
      if (entry.state === 'queued') this.#update(entry.clientId, { state: 'waiting', why });
    }
    this.#later(ms);
  }

  /** The ms that a server in a hurry named, or 0. */
  #holdFor(why: Problem | undefined): number {
    const ms = why?.status === 429 ? why.retryAfter * 1_000 : 0;
    if (ms) this.heldUntil = Math.max(this.heldUntil, this.#parts.ticks() + ms);
    return ms;
  }

  #later(ms: number): void {
    const until = this.#parts.ticks() + ms;
    if (this.#stopped || (this.#wait && this.#wait.until <= until)) return;
    this.#wait?.stop();
    this.#wait = { until, stop: this.#parts.after(ms, () => this.#again()) };
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#parts.after(ms, resolve));
  }

  /** Another tab has changed a message, or (null) removed it. Its word may come later than the log's. */
  #hear(clientId: string, entry: Unsent | null): void {
    const known = this.#find(clientId);
    if (known && this.#isAhead(known)) return;
    if (!entry || (entry.state === 'sent' && !this.#isAhead(entry))) return this.#take(clientId);
    // The own answer, which is on its way, is newer than the other tab's word.
    if (this.#posts.has(clientId)) return;
    this.#put(entry);
    if (!isDue(entry)) return;
    if (entry.state === 'waiting') this.#holdFor(entry.why);
    this.#later(lookAfter);
  }

  /** The server has confirmed it, but the log as known here does not reach so far yet. */
  #isAhead({ state, room, seq = 0 }: Unsent): boolean {
    return state === 'sent' && seq > this.#parts.known(room);
  }

  #due(room: string): Unsent | undefined {
    return this.unsent.find((entry) => entry.room === room && isDue(entry));
  }

  #find(clientId: string): Unsent | undefined {
    return this.unsent.find((entry) => entry.clientId === clientId);
  }

  #update(clientId: string, change: Partial<Unsent>): void {
    const entry = this.#find(clientId);
    if (entry) this.#keep({ ...entry, ...change });
  }

  #keep(entry: Unsent): void {
    this.#put(entry);
    if (!this.#stopped) this.#parts.unsent.keep(entry);
  }

  #put(entry: Unsent): void {
    const others = this.unsent.filter((other) => other.clientId !== entry.clientId);
    this.unsent = [...others, entry].sort((a, b) => a.order - b.order);
  }

  #take(clientId: string): void {
    this.unsent = this.unsent.filter((entry) => entry.clientId !== clientId);
  }
}
