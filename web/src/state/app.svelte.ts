// Owns whether somebody is signed in, and the life of the conversation from sign-in to sign-out, in this tab and the
// others. Must not know the screen; the browser's parts are given.
import { Problem } from '../api/problem';
import type { Calls } from '../api/calls';
import type { MyRooms, User } from '../api/types';
import type { SourceListener } from '../stream/source';
import { Chat, type ChatParts } from './chat.svelte';

export interface Stream {
  start(cursor: string): void;
  moved(cursor: string): void;
  stop(): void;
  nudge(): void;
  offline(): void;
}

/** What tabs tell each other about the session. */
export type SessionWord = { kind: 'in'; user: string } | { kind: 'out' };

export interface AppParts {
  calls: Calls;
  chat(user: string): ChatParts;
  stream(user: string, listener: SourceListener): Stream;
  tell(word: SessionWord): void;
  /** Deletes what the browser stores of the person who signs out. */
  forget(user: string): void;
  /** Goes to the page where people begin. */
  home(): void;
  renewal: { schedule(): void; ended(): void };
  /** Somebody was signed in here before, so most likely they still are. */
  wasSignedIn(): boolean;
  after(ms: number, run: () => void): () => void;
}

export type AppPhase = 'starting' | 'unreachable' | 'out' | 'in';

const askAgain = 3_000;

export class App {
  #parts: AppParts;
  #stream: Stream | null = null;
  #stopAsk = () => {};
  /** Counts questions who is signed in, and changes of it: an answer to an older question says nothing any more. */
  #round = 0;
  /** Who was signed in here last, by id. */
  #last: string | null = null;
  /** The username of an account that may have been made though the sign-up did not end well. */
  #made: string | null = null;
  /** The person has asked to sign out, and no answer came. */
  #leaving = false;

  phase = $state<AppPhase>('starting');
  chat = $state.raw<Chat | null>(null);
  /** The session ended without a sign-out, which the sign-in page explains. */
  ended = $state(false);
  /** Why nothing can begin: the last answer to the question who is signed in, or that there was none. */
  problem = $state.raw<Problem | null>(null);
  /** Why the server takes nothing from this page, if that is so. */
  barred = $state.raw<Problem | null>(null);

  constructor(parts: AppParts) {
    this.#parts = parts;
  }

  /** Asks the server who is signed in, and repeats until there is an answer. */
  async start(): Promise<void> {
    const round = this.#next();
    try {
      // Both at once, because the second is nearly always needed and would cost a round trip of its own.
      const rooms = this.#parts.wasSignedIn() ? this.#parts.calls.myRooms() : undefined;
      rooms?.catch(() => {});
      const me = await this.#parts.calls.me();
      if (round !== this.#round) return;
      this.#parts.renewal.schedule();
      this.#enter(me, rooms);
    } catch (error) {
      if (round !== this.#round) return;
      const problem = error instanceof Problem ? error : new Problem(0, 'unknown', '');
      // Barred: signing in is refused as well, and the page says why.
      if (problem.status === 401 || problem.here) {
        this.phase = 'out';
        return;
      }
      this.problem = problem;
      this.phase = 'unreachable';
      const wait = Math.max(askAgain, problem.retryAfter * 1_000);
      this.#stopAsk = this.#parts.after(wait, () => void this.start());
    }
  }

  async signIn(username: string, password: string): Promise<void> {
    const { user } = await this.#parts.calls.signIn(username, password);
    this.#parts.tell({ kind: 'in', user: user.id });
    this.#enter(user);
  }

  async signUp(username: string, password: string, name: string): Promise<void> {
    const half = this.#made === username;
    this.#made = username;
    let taken: Problem | null = null;
    try {
      await this.#parts.calls.register(username, password, name);
    } catch (error) {
      const problem = error instanceof Problem ? error : Problem.noAnswer();
      // It is taken by this person, if an attempt whose answer was lost has made the account.
      if (half && problem.code === 'username_taken') taken = problem;
      else {
        if (!problem.passing) this.#made = null;
        throw problem;
      }
    }
    await this.signIn(username, password).catch((error: unknown) => {
      throw taken && error instanceof Problem && error.status === 401 ? taken : error;
    });
    this.#made = null;
  }

  async signOut(): Promise<void> {
    try {
      await this.#parts.calls.signOut();
    } catch (error) {
      const status = error instanceof Problem ? error.status : 0;
      this.#leaving ||= status === 0;
      // The session has ended already: by an earlier attempt, or elsewhere.
      if (status !== 401) throw error;
    }
    this.#gone();
  }

  /** A call or the stream reported that the session has ended. */
  over(): void {
    if (this.phase !== 'in') return;
    this.#parts.renewal.ended();
    // Most likely the sign-out whose answer was lost has ended it.
    if (this.#leaving) this.#gone();
    else this.#leave(true);
  }

  /** Another tab signed in or out. */
  heard(word: SessionWord): void {
    const mine = this.chat?.me.id;
    if (word.kind === 'out') {
      // The stream may have reported the end before the other tab did.
      this.#goodbye();
    } else if (word.user !== mine) {
      this.#leave(false);
      void this.start();
    }
  }

  /** The network is back, or the page is visible again. */
  nudge(): void {
    if (this.phase === 'unreachable') void this.start();
    this.#stream?.nudge();
    this.chat?.outbox.flush();
  }

  /** The server takes nothing from this page. */
  bar(problem: Problem): void {
    this.barred = problem;
  }

  offline(): void {
    this.#stream?.offline();
  }

  #gone(): void {
    this.#parts.tell({ kind: 'out' });
    this.#goodbye();
  }

  /** Leaves nothing of the person behind: the next one starts at the beginning. */
  #goodbye(): void {
    this.#leave(false);
    if (!this.#last) return;
    this.#parts.forget(this.#last);
    this.#last = null;
    this.#parts.home();
  }

  /** Begins a round, and ends the one before. */
  #next(): number {
    this.#stopAsk();
    return ++this.#round;
  }

  #enter(me: User, rooms?: Promise<MyRooms>): void {
    // A conversation that is not stopped would go on sending, in the name of whoever is signed in then.
    this.#leave(false);
    // Another person than the one whose session has ended here.
    if (this.#last && this.#last !== me.id) this.#parts.home();
    this.#last = me.id;
    const chat = new Chat(me, this.#parts.chat(me.id));
    const stream = this.#parts.stream(me.id, {
      event: (event) => chat.take(event),
      reset: () => void chat.reset(),
      status: (status) => {
        if (status === 'live') this.barred = null;
        chat.told(status);
      },
      over: () => this.over(),
    });
    let started = false;
    chat.onSnapshot = (cursor) => {
      if (started) stream.moved(cursor);
      else stream.start(cursor);
      started = true;
    };
    this.#stream = stream;
    this.chat = chat;
    this.phase = 'in';
    void chat.sync(rooms);
  }

  #leave(ended: boolean): void {
    this.#next();
    this.#leaving = false;
    this.#stream?.stop();
    this.chat?.stop();
    this.#stream = null;
    this.chat = null;
    this.ended = ended;
    this.phase = 'out';
  }
}
