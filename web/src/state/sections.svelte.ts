// Owns the order of the reader's rooms in the list: first the unread ones, then the others. Must not know how rooms become
// read.
import type { MyRoom, Rooms } from './rooms.svelte';

export class Sections {
  #rooms: Pick<Rooms, 'list' | 'get'>;
  /** The open room stays where it was when it was opened: a list that moves under the hand is hard to hit. */
  #kept = $state<string | null>(null);

  readonly unread = $derived.by(() =>
    this.#rooms.list.filter((room) => room.unread || room.state.id === this.#kept),
  );
  readonly others = $derived.by(() =>
    this.#rooms.list.filter((room) => !room.unread && room.state.id !== this.#kept),
  );

  constructor(rooms: Pick<Rooms, 'list' | 'get'>) {
    this.#rooms = rooms;
  }

  /** Tells which room is open now, before it becomes read. */
  opened(room: string | null): void {
    this.#kept = room && this.#rooms.get(room)?.unread ? room : null;
  }

  /**
   * The room that stands `step` above (-1) or below (1) an open one in the list, round the ends; only unread ones if
   * asked. Nothing when there is none but the open one.
   */
  beside(open: string | null, step: 1 | -1, unreadOnly: boolean): MyRoom | undefined {
    const all = [...this.unread, ...this.others];
    const at = all.findIndex((room) => room.state.id === open);
    // From no room, down leads to the first and up to the last.
    const from = at < 0 && step < 0 ? 0 : at;
    for (let n = 1; n <= all.length; n++) {
      const room = all[(from + n * step + all.length * 2) % all.length]!;
      if (room.state.id !== open && (!unreadOnly || room.unread)) return room;
    }
    return undefined;
  }
}
