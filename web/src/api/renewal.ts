// Owns the renewal of the session: one tab refreshes for all, ahead of time or after a 401. Must not see a token:
// scripts cannot read the cookies that hold them. Must not know what calls are for.

/**
 * One renewal, or the sign-in. The id alone tells renewals apart: the clock of the computer may be wrong and be
 * corrected at any time, so `at` (ms since 1970) only says when the next renewal is due.
 */
export interface Mark {
  id: string;
  /** The id of the sign-in that it goes back to. */
  session: string;
  at: number;
  /** How many seconds the access token of this renewal lives. */
  lives: number;
}

/** The mark in a stored text, or null when the text is none. */
export function parseMark(text: string | null): Mark | null {
  try {
    const { id, session, at, lives } = JSON.parse(text ?? '') as Partial<Mark>;
    if (typeof id !== 'string' || typeof session !== 'string') return null;
    if (typeof at !== 'number' || typeof lives !== 'number') return null;
    return lives > 0 ? { id, session, at, lives } : null;
  } catch {
    return null;
  }
}

/** What renewal needs of the browser; tests give their own. */
export interface RenewalParts {
  /** POST /v1/refresh: gives the life of the new access token in seconds, or `over` when the session has ended. May throw. */
  refresh(): Promise<number | 'over'>;
  /** Runs `work` while no other tab of this origin runs its own. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** The last renewal by any tab. */
  load(): Mark | null;
  save(mark: Mark | null): void;
  newId(): string;
  /** Ms since 1970, as the computer's clock has it. */
  now(): number;
  after(ms: number, run: () => void): () => void;
}

export type Renewed = 'renewed' | 'over';

/** The id of a renewal, as the caller of `renew` knew it; null when none was known. */
export type Since = string | null;

export class Renewal {
  #parts: RenewalParts;
  #running: Promise<Renewed> | null = null;
  #stop = () => {};

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** The renewal that a call which starts now relies on. */
  get mark(): Since {
    return this.#parts.load()?.id ?? null;
  }

  /** Records a sign-in: its access token lives this many seconds from now. */
  started(lives: number): void {
    this.#record(lives, null);
  }

  ended(): void {
    this.#stop();
    this.#parts.save(null);
  }

  /**
   * Sends a call by `once`, and again after a renewal when it is refused with 401. Runs `over` when the session has
   * ended. When another session has begun meanwhile the refusal stands: the call must not go out in another name.
   */
  async send(once: () => Promise<Response>, over: () => void): Promise<Response> {
    const session = this.#session;
    // Thrice: before the second time another tab may have renewed, with a token that has expired since.
    for (let round = 0; ; round++) {
      const mark = this.mark;
      const response = await once();
      if (response.status !== 401) return response;
      const renewed = round < 2 && (await this.renew(mark)) === 'renewed';
      if (session && this.#session && this.#session !== session) return response;
      if (!renewed) {
        over();
        return response;
      }
    }
  }

  /**
   * Renews unless some tab has renewed after `since`, the mark when the refused call began. Throws when the server gave
   * no clear answer: a network failure must not end a session.
   */
  renew(since: Since): Promise<Renewed> {
    this.#running ??= this.#parts
      .alone(() => this.#renewAlone(since))
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  /** Renews at four fifths of the access token's life, so that no call meets a 401 in normal use. */
  schedule(): void {
    this.#stop();
    const last = this.#parts.load();
    if (!last) return;
    const life = last.lives * 800;
    // A clock that was set forward or back cannot move the next renewal further away than one life.
    const due = Math.min(Math.max(last.at + life - this.#parts.now(), 0), life);
    this.#stop = this.#parts.after(due, () => void this.#ahead(last.id));
  }

  async #ahead(seen: string): Promise<void> {
    try {
      if ((await this.renew(seen)) === 'renewed') this.schedule();
    } catch {
      // No answer now; the next refused call, or this timer, tries again.
      this.#stop = this.#parts.after(5_000, () => void this.#ahead(seen));
    }
  }

  async #renewAlone(since: Since): Promise<Renewed> {
    const mark = this.mark;
    if (mark !== null && mark !== since) {
      this.schedule();
      return 'renewed';
    }
    const lives = await this.#parts.refresh();
    if (lives === 'over') return 'over';
    this.#record(lives, this.#session);
    return 'renewed';
  }

  get #session(): string | null {
    return this.#parts.load()?.session ?? null;
  }

  #record(lives: number, session: string | null): void {
    const id = this.#parts.newId();
    this.#parts.save({ id, session: session ?? id, at: this.#parts.now(), lives });
    this.schedule();
  }
}
