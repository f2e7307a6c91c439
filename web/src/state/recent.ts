// Owns the order in which the reader's rooms were last opened. Must not know where it is kept.

export interface RecentStore {
  load(): string[];
  save(rooms: string[]): void;
}

/** More than anybody looks through. */
const most = 50;

export class Recent {
  #store: RecentStore;
  #rooms: string[];

  constructor(store: RecentStore) {
    this.#store = store;
    this.#rooms = store.load();
  }

  /** The reader has opened a room. */
  opened(room: string): void {
    if (this.#rooms[0] === room) return;
    this.#rooms = [room, ...this.#rooms.filter((other) => other !== room)].slice(0, most);
    this.#store.save(this.#rooms);
  }

  /** 0 for the room that was opened last; rooms that were not opened come after all others. */
  rank(room: string): number {
    const at = this.#rooms.indexOf(room);
    return at < 0 ? most : at;
  }
}
