// Owns the conversation of a signed-in person: snapshots first, then the log's events on top, each handed to the room
// list, the opened rooms and the outbox. Must not know the network (calls are given) nor the screen.
import type { Calls } from '../api/calls';
import type { LogEvent, Message, Room, User } from '../api/types';
import type { StreamStatus } from '../stream/source';
import { Backoff } from '../stream/backoff';
import { Drafts, type DraftStore } from './drafts.svelte';
import { Outbox, type OutboxParts } from './outbox.svelte';
import { People } from './people.svelte';
import { OpenRoom } from './room.svelte';
import { Rooms, type ReadMarks } from './rooms.svelte';

export interface ChatParts extends Omit<OutboxParts, 'post' | 'known'> {
  calls: Calls;
  marks: ReadMarks;
  drafts: DraftStore;
}

/** How long (ms) the connection may be lost before the banner appears. */
const tellAfter = 5_000;
/** How many opened rooms are kept up to date, so that returning to one is instant. */
const kept = 8;

export class Chat {
  readonly people = new People();
  readonly rooms: Rooms;
  readonly outbox: Outbox;
  readonly drafts: Drafts;
  #parts: ChatParts;
  #opened = new Map<string, OpenRoom>();
  #current: string | null = null;
  #stopTell: (() => void) | null = null;
  #stopRetry = () => {};
  #backoff: Backoff;
  #stopped = false;

  me: User = $state.raw(null!);
  status = $state<StreamStatus>('away');
  /** The connection has been lost for longer than a moment. */
  cut = $state(false);
  /** The reader has lost the open room: it was deleted, or they were removed from it. */
  lost = $state<{ room: string; label: string } | null>(null);
  /** A snapshot has arrived; the stream continues from its cursor. */
  onSnapshot = (_cursor: string): void => {};

  constructor(me: User, parts: ChatParts) {
    this.me = me;
    this.#parts = parts;
    this.#backoff = new Backoff(parts.ticks, parts.random);
    this.people.see(me);
    this.rooms = new Rooms(me.id, parts.marks);
    this.outbox = new Outbox({
      ...parts,
      post: parts.calls.post,
      known: (room) =>
        this.#opened.get(room)?.timeline.lastSeq ?? this.rooms.get(room)?.sequence.last ?? 0,
    });
    this.drafts = new Drafts(parts.drafts);
    this.#away();
  }

  /** Fetches the snapshots that events are applied to, and repeats until it has them. */
  async sync(): Promise<void> {
    this.#stopRetry();
    this.rooms.hold();
    try {
      const snapshot = await this.#parts.calls.myRooms();
      if (this.#stopped) return;
      this.#backoff.reset();
      const held = this.rooms.settle(snapshot);
      this.onSnapshot(snapshot.cursor);
      for (const event of held) this.#toRooms(event);
    } catch {
      if (this.#stopped) return;
      this.#stopRetry = this.#parts.after(this.#backoff.next(), () => void this.sync());
    }
  }

  /** The stream could not resume, so everything is fetched again. */
  async reset(): Promise<void> {
    for (const id of this.#opened.keys()) if (id !== this.#current) this.#opened.delete(id);
    const current = this.#current && this.#opened.get(this.#current);
    await Promise.all([this.sync(), current && current.reload()]);
  }

  apply(event: LogEvent): void {
    this.people.seeIn(event);
    this.#toRooms(event);
    if (event.member?.user.id === this.me.id) this.me = { ...this.me, ...event.member.user };
    const room = event.room && this.#opened.get(event.room);
    if (room) room.apply(event);
    else if (event.message) this.#placed([event.message]);
  }

  told(status: StreamStatus): void {
    this.status = status;
    if (status === 'away') return this.#away();
    this.#stopTell?.();
    this.#stopTell = null;
    this.cut = status === 'stopped';
    if (status === 'live') this.outbox.flush();
  }

  /** Gives the room to show and starts to load it. */
  open(id: string): OpenRoom {
    this.#current = id;
    this.lost = null;
    let room = this.#opened.get(id);
    if (!room) {
      room = new OpenRoom(
        id,
        this.#parts.calls,
        (messages) => this.#placed(messages),
        (room, seq) => this.outbox.settleUpTo(room, seq),
      );
    }
    const known = this.rooms.get(id);
    room.timeline.divider = known?.unread ? known.read : null;
    // The room that was unused for longest is dropped first.
    this.#opened.delete(id);
    this.#opened.set(id, room);
    for (const old of [...this.#opened.keys()].slice(0, -kept)) this.#opened.delete(old);
    return room;
  }

  /** The room is no longer on screen. */
  close(id: string): void {
    if (this.#current === id) this.#current = null;
  }

  /** The caller has left a room. */
  left(id: string): void {
    this.rooms.remove(id);
    this.#opened.delete(id);
  }

  entered(room: Room): void {
    this.rooms.put(room);
  }

  renamed(me: User): void {
    this.me = me;
    this.people.see(me);
  }

  stop(): void {
    this.#stopped = true;
    this.#stopRetry();
    this.#stopTell?.();
    this.outbox.stop();
    this.drafts.stop();
  }

  #toRooms(event: LogEvent): void {
    const label = event.room ? this.rooms.get(event.room)?.label : '';
    const outcome = this.rooms.apply(event);
    if (outcome === 'gap') void this.sync();
    if (outcome === 'joined') void this.#opened.get(event.room!)?.reload();
    if (outcome !== 'gone') return;
    this.#opened.delete(event.room!);
    if (this.#current === event.room) this.lost = { room: event.room!, label: label ?? '' };
  }

  /** Our own messages among these are confirmed now. */
  #placed(messages: Message[]): void {
    for (const message of messages) {
      this.people.see(message.author);
      if (message.author.id === this.me.id) this.outbox.settle(message.client_id);
    }
  }

  #away(): void {
    this.#stopTell ??= this.#parts.after(tellAfter, () => (this.cut = true));
  }
}
