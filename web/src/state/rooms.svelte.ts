// Owns the list of rooms the reader is in: their state, what is unread, and coming and going. Must not know the
// network, nor which room is on screen.
import { SvelteMap } from 'svelte/reactivity';
import type { LogEvent, Message, MyRooms, Room } from '../api/types';
import { Sequence } from './sequence';

/** Up to which seq each room was read; kept across visits. */
export interface ReadMarks {
  load(): Record<string, number>;
  save(marks: Record<string, number>): void;
}

const gone = ['member.left', 'member.removed', 'member.banned'];

export class MyRoom {
  sequence = new Sequence();
  state: Room = $state.raw(null!);
  /** The newest message of others; the room is unread while `read` is below it. */
  newest = $state(0);
  read = $state(0);
  /** Something has happened since `read`, and it is not known yet whether it was a message. */
  doubtful: boolean;

  constructor(state: Room, read: number) {
    this.state = state;
    this.read = read;
    this.doubtful = state.last_seq > read;
    this.sequence.settle(state.last_seq);
  }

  /** Takes a newer snapshot. What is unread stays so. */
  renew(state: Room, read: number): void {
    this.state = state;
    this.read = Math.min(Math.max(this.read, read), state.last_seq);
    this.doubtful = state.last_seq > this.read && !this.unread;
    this.sequence.settle(state.last_seq);
  }

  get unread(): boolean {
    return this.newest > this.read;
  }

  get label(): string {
    return this.state.title || this.state.name;
  }
}

export class Rooms {
  #me: string;
  #marks: ReadMarks;
  #held: LogEvent[] | null = null;
  #all = new SvelteMap<string, MyRoom>();
  #changed = false;

  loaded = $state(false);
  readonly list = $derived([...this.#all.values()].sort((a, b) => a.label.localeCompare(b.label)));
  readonly unread = $derived(this.list.filter((room) => room.unread).length);

  constructor(me: string, marks: ReadMarks) {
    this.#me = me;
    this.#marks = marks;
  }

  get(id: string): MyRoom | undefined {
    return this.#all.get(id);
  }

  /** Call this before a snapshot is requested: events wait until it has arrived. */
  hold(): void {
    this.#held ??= [];
  }

  /** Takes the snapshot, or nothing if it failed. Returns the events that waited, in order. */
  settle(snapshot?: MyRooms): LogEvent[] {
    if (snapshot) {
      const marks = this.#marks.load();
      // Without any marks this browser is new; beside others, a room without one is new to the reader.
      const unmarked = Object.keys(marks).length ? 0 : Infinity;
      for (const { id, last_seq } of snapshot.items) {
        // A mark above the newest event is of a time before the server was set back, and would hide what comes.
        marks[id] = Math.min(marks[id] ?? unmarked, last_seq);
      }
      this.#marks.save(marks);
      const here = new Set(snapshot.items.map((room) => room.id));
      for (const id of this.#all.keys()) if (!here.has(id)) this.#all.delete(id);
      for (const room of snapshot.items) {
        const known = this.#all.get(room.id);
        if (known) known.renew(room, marks[room.id]!);
        else this.#set(room, marks[room.id]);
      }
      this.loaded = true;
      this.#changed = true;
      this.save();
    }
    const held = this.#held ?? [];
    this.#held = null;
    return held;
  }

  /** Takes a room as a call returned it, which is newer than the known one. */
  put(room: Room): void {
    const known = this.#all.get(room.id);
    if (!room.role || (known && known.sequence.last > room.last_seq)) return;
    // The events up to its `last_seq` are still on their way, so the known room goes on counting from where it is.
    if (known) return void (known.state = room);
    this.#set(room);
    this.#changed = true;
    this.save();
  }

  /** Rooms in which something happened since they were read. Their newest message tells whether they are unread. */
  get doubtful(): string[] {
    return [...this.#all].filter(([, room]) => room.doubtful).map(([id]) => id);
  }

  /** Takes the newest message of a doubtful room: null if it has none, undefined if it could not be fetched. */
  judge(id: string, newest: Message | null | undefined): void {
    const room = this.#all.get(id);
    if (!room?.doubtful) return;
    room.doubtful = false;
    // When in doubt the room is unread: a message that nobody is told of is worse than a mark too many.
    if (newest === undefined) room.newest = room.sequence.last;
    else if (newest && newest.author.id !== this.#me)
      room.newest = Math.max(room.newest, newest.seq);
    if (!room.unread) this.#read(room);
    this.save();
  }

  remove(id: string): void {
    this.#all.delete(id);
  }

  /** Takes an event of the log. `gap`: fetch the snapshot again. `gone`: the reader is no longer in that room. */
  apply(event: LogEvent): 'gap' | 'gone' | 'joined' | 'fine' {
    if (this.#held) {
      this.#held.push(event);
      return 'fine';
    }
    if (!event.room || event.seq === undefined) return 'fine';
    const known = this.#all.get(event.room);
    const mine = event.member?.user.id === this.#me;
    const created = event.type === 'room.created' && event.actor?.id === this.#me;
    if (known && event.seq <= known.sequence.last) return 'fine';
    if ((mine && event.type === 'member.joined') || (created && !known)) return this.#joined(event);
    if (!known) return 'fine';
    if (event.type === 'room.deleted' || (mine && gone.includes(event.type))) {
      this.#all.delete(event.room);
      return 'gone';
    }
    if (known.sequence.judge(event) === 'gap') return 'gap';
    this.#change(known, event);
    return 'fine';
  }

  /** The reader has seen the newest message of the room. Kept by the next `save`. */
  markRead(id: string): void {
    const room = this.#all.get(id);
    if (!room) return;
    room.doubtful = false;
    this.#read(room);
  }

  /** Keeps what was read for the next visit and for other tabs. Call it once after a turn. */
  save(): void {
    if (!this.#changed) return;
    this.#changed = false;
    const marks = this.#marks.load();
    for (const [id, room] of this.#all) marks[id] = Math.max(room.read, marks[id] ?? 0);
    this.#marks.save(marks);
  }

  /** Another tab marked rooms read. */
  reload(): void {
    const marks = this.#marks.load();
    for (const [id, room] of this.#all) room.read = Math.max(room.read, marks[id] ?? 0);
  }

  #joined(event: LogEvent): 'joined' | 'fine' {
    const state = event.room_state;
    if (!state) return 'fine';
    const role = event.member?.role ?? 'owner';
    this.#set({ ...state, role, last_seq: event.seq! }, event.seq);
    this.#changed = true;
    return 'joined';
  }

  #change(room: MyRoom, event: LogEvent): void {
    const seq = event.seq!;
    const mine = event.member?.user.id === this.#me;
    if (event.room_state) room.state = { ...event.room_state, role: room.state.role };
    if (mine && event.member) room.state = { ...room.state, role: event.member.role };
    // Only what others write makes a room unread, and whoever writes has read what was there.
    const author = event.type === 'message.posted' ? event.message?.author.id : undefined;
    if (author && author !== this.#me) room.newest = seq;
    else if (author || !room.unread) this.#read(room);
  }

  #read(room: MyRoom): void {
    if (room.doubtful || room.read >= room.sequence.last) return;
    room.read = room.sequence.last;
    this.#changed = true;
  }

  #set(state: Room, read = state.last_seq): void {
    this.#all.set(state.id, new MyRoom(state, read));
  }
}
