// Owns what the server says of itself: its name, its limits, whether it takes new accounts. Must not know who asks, nor
// who is signed in.
import type { Server } from '../api/types';

const askAgain = 3_000;

export class ServerFacts {
  /** Null until the server has answered; no default is assumed. */
  facts = $state.raw<Server | null>(null);

  get name(): string {
    return this.facts?.name ?? '';
  }

  /** Asks again until there is an answer. */
  async learn(
    ask: () => Promise<Server>,
    after: (ms: number, run: () => void) => unknown,
  ): Promise<void> {
    try {
      this.facts = await ask();
    } catch {
      after(askAgain, () => void this.learn(ask, after));
    }
  }
}

export const server = new ServerFacts();
