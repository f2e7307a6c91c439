// Owns the renewal of the session: one tab refreshes for all, ahead of time or after a 401. Must not see a token:
// scripts cannot read the cookies that hold them. Must not know what calls are for.

/** What renewal needs of the browser; tests give their own. */
export interface RenewalParts {
  /** POST /v1/refresh: gives the life of the new access token in seconds, or `over` when the session has ended. May throw. */
  refresh(): Promise<number | 'over'>;
  /** Runs `work` while no other tab of this origin runs its own. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** When some tab last renewed (ms since 1970) and for how many seconds; shared by all tabs. */
  load(): { at: number; lives: number } | null;
  save(renewed: { at: number; lives: number } | null): void;
  now(): number;
  after(ms: number, run: () => void): () => void;
}

export type Renewed = 'renewed' | 'over';

export class Renewal {
  #parts: RenewalParts;
  #running: Promise<Renewed> | null = null;
  #stop = () => {};

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** Records a sign-in: its access token lives this many seconds from now. */
  started(lives: number): void {
    this.#parts.save({ at: this.#parts.now(), lives });
    this.schedule();
  }

  ended(): void {
    this.#stop();
    this.#parts.save(null);
  }

  /**
   * Renews unless some tab has renewed after `since` (when the refused call began). Throws when the server gave no
   * clear answer: a network failure must not end a session.
   */
  renew(since: number): Promise<Renewed> {
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
    const due = last.at + last.lives * 800 - this.#parts.now();
    this.#stop = this.#parts.after(Math.max(due, 0), () => void this.#ahead(last.at));
  }

  async #ahead(seen: number): Promise<void> {
    try {
      if ((await this.renew(seen + 1)) === 'renewed') this.schedule();
    } catch {
      // No answer now; the next refused call, or this timer, tries again.
      this.#stop = this.#parts.after(5_000, () => void this.#ahead(seen));
    }
  }

  async #renewAlone(since: number): Promise<Renewed> {
    const last = this.#parts.load();
    if (last && last.at >= since) {
      this.schedule();
      return 'renewed';
    }
    const lives = await this.#parts.refresh();
    if (lives === 'over') return 'over';
    this.started(lives);
    return 'renewed';
  }
}
