// Owns the search in the directory of public rooms. Must not know the network or the screen.
import type { Room, RoomPage } from '../api/types';

const typingPause = 250;

export class Directory {
  #fetch: (q: string, page?: string) => Promise<RoomPage>;
  #after: (ms: number, run: () => void) => () => void;
  #stop = () => {};
  #round = 0;
  #next: string | undefined;

  query = $state('');
  rooms = $state.raw<Room[]>([]);
  phase = $state<'loading' | 'ready' | 'failed'>('loading');
  more = $state(false);

  constructor(
    fetch: (q: string, page?: string) => Promise<RoomPage>,
    after: (ms: number, run: () => void) => () => void,
  ) {
    this.#fetch = fetch;
    this.#after = after;
  }

  search(query: string): void {
    this.query = query;
    this.#stop();
    this.#stop = this.#after(typingPause, () => void this.load());
  }

  async load(): Promise<void> {
    const round = ++this.#round;
    try {
      const page = await this.#fetch(this.query.trim());
      if (round !== this.#round) return;
      this.#take([], page);
    } catch {
      if (round === this.#round) this.phase = 'failed';
    }
  }

  async showMore(): Promise<void> {
    const round = this.#round;
    const page = await this.#fetch(this.query.trim(), this.#next);
    if (round === this.#round) this.#take(this.rooms, page);
  }

  #take(before: Room[], page: RoomPage): void {
    const known = new Set(before.map((room) => room.id));
    this.rooms = [...before, ...page.items.filter((room) => !known.has(room.id))];
    this.#next = page.next_page;
    this.more = !!page.next_page;
    this.phase = 'ready';
  }
}
