// Owns the conversation of a signed-in person: snapshots first, then the log's events on top, each handed to the room
// list, the opened rooms and the outbox. Must not know the network (calls are given) nor the screen.
import type { Calls } from '../api/calls';
import { Problem } from '../api/problem';
import type { LogEvent, Message, MyRooms, Room, User } from '../api/types';
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
  /** Runs after the browser has handed over everything that has arrived already. */
  soon(run: () => void): void;
}

/** How long (ms) the connection may be lost before the banner appears. */
const tellAfter = 5_000;
/** How many opened rooms are kept up to date, so that returning to one is instant. */
const kept = 8;
/** The most events that are applied in one turn, so that thousands at once do not stop the page. */
const mostAtOnce = 1_000;
/** How many rooms are asked at once whether they are unread. */
const askedAtOnce = 4;

export class Chat {
  readonly people = new People();
  readonly rooms: Rooms;
  readonly outbox: Outbox;
  readonly drafts: Drafts;
  #parts: ChatParts;
  #opened = new Map<string, OpenRoom>();
  #waiting: LogEvent[] = [];
  #current: string | null = null;
  #stopTell: (() => void) | null = null;
  #stopRetry = () => {};
  #backoff: Backoff;
  /** Counts the fetches of the snapshot: the answer to an older one says nothing any more. */
  #round = 0;

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

  /**
   * Fetches the snapshots that events are applied to, and repeats until it has them. `asked`: the first one is on its way;
   * no stream may be open yet.
   */
  async sync(asked?: Promise<MyRooms>): Promise<void> {
    this.#stopRetry();
    const round = ++this.#round;
    this.rooms.hold();
    try {
      const snapshot = await (asked ?? this.#parts.calls.myRooms());
      if (round !== this.#round) return;
      this.#backoff.reset();
      const held = this.rooms.settle(snapshot);
      this.onSnapshot(snapshot.cursor);
      for (const event of held) this.#toRooms(event);
      this.rooms.save();
      void this.#askDoubtful();
    } catch (problem) {
      if (round !== this.#round) return;
      this.#stopRetry = this.#parts.after(this.#backoff.wait(problem), () => void this.sync());
    }
  }

  /** The stream could not resume, so everything is fetched again. */
  async reset(): Promise<void> {
    this.#flush();
    for (const id of this.#opened.keys()) if (id !== this.#current) this.#opened.delete(id);
    const current = this.#current ? this.#opened.get(this.#current) : undefined;
    // What came meanwhile is below the divider, even if the page was in front all the time.
    const seen = !this.rooms.get(this.#current ?? '')?.unread;
    await Promise.all([this.sync(), current?.reload(seen)]);
  }

  /** Takes an event of the stream. Those of one turn are applied together. */
  take(event: LogEvent): void {
    if (this.#waiting.push(event) === 1) this.#parts.soon(() => this.#turn());
  }

  apply(events: LogEvent[]): void {
    const touched = new Set<OpenRoom>();
    for (const event of events) {
      this.people.seeIn(event);
      this.#toRooms(event);
      if (event.member?.user.id === this.me.id) this.me = { ...this.me, ...event.member.user };
      const room = event.room && this.#opened.get(event.room);
      if (room) {
        room.apply(event);
        touched.add(room);
      } else if (event.message) this.#placed([event.message]);
    }
    for (const room of touched) room.show();
    this.rooms.save();
  }

  told(status: StreamStatus): void {
    this.#flush();
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
        this.me.id,
        this.#parts.calls,
        (messages) => this.#placed(messages),
        (room, seq) => this.outbox.settleUpTo(room, seq),
      );
    }
    const known = this.rooms.get(id);
    const unread = known && (known.unread || known.doubtful);
    if (room.timeline.phase === 'ready') {
      if (unread) room.timeline.divideAfter(known.read);
      else room.timeline.divide(null);
    } else room.timeline.divide(unread ? known.read : null);
    // The room that was unused for longest is dropped first.
    this.#opened.delete(id);
    this.#opened.set(id, room);
    for (const old of [...this.#opened.keys()].slice(0, -kept)) this.#opened.delete(old);
    return room;
  }

  /** The reader has seen the newest message of the room. */
  read(id: string): void {
    this.rooms.markRead(id);
    this.rooms.save();
  }

  /** The room is no longer on screen. */
  close(id: string): void {
    const room = this.#opened.get(id);
    if (room) room.attended = false;
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
    this.#round++;
    this.#stopRetry();
    this.#stopTell?.();
    this.#waiting = [];
    this.outbox.stop();
    this.drafts.stop();
  }

  #flush(): void {
    this.apply(this.#waiting.splice(0));
  }

  #turn(): void {
    const events = this.#waiting.splice(0, mostAtOnce);
    if (this.#waiting.length) this.#parts.soon(() => this.#turn());
    this.apply(events);
  }

  /** Asks for the newest message of each room in which something happened that need not be a message. */
  async #askDoubtful(): Promise<void> {
    const round = this.#round;
    const ids = this.rooms.doubtful;
    const backoff = new Backoff(this.#parts.ticks, this.#parts.random);
    const ask = async () => {
      for (let id = ids.pop(); id && round === this.#round; id = ids.pop()) {
        try {
          const { items } = await this.#parts.calls.messages(id, { limit: 1 });
          backoff.reset();
          this.rooms.judge(id, items.at(-1) ?? null);
        } catch (problem) {
          if (problem instanceof Problem && !problem.passing) this.rooms.judge(id, undefined);
          else {
            ids.push(id);
            const ms = backoff.wait(problem);
            await new Promise<void>((resolve) => void this.#parts.after(ms, resolve));
          }
        }
      }
    };
    await Promise.all(Array.from({ length: askedAtOnce }, ask));
  }

  #toRooms(event: LogEvent): void {
    const room = event.room ? this.rooms.get(event.room) : undefined;
    const label = room?.label;
    const wasRead = room && !room.unread;
    const outcome = this.rooms.apply(event);
    if (wasRead && room.unread && this.#current === event.room) this.#unread(event);
    if (outcome === 'gap') void this.sync();
    if (outcome === 'joined') void this.#opened.get(event.room!)?.reload(false);
    if (outcome !== 'gone') return;
    this.#opened.delete(event.room!);
    if (this.#current === event.room) this.lost = { room: event.room!, label: label ?? '' };
  }

  /** A message of somebody else has come into the open room. */
  #unread(event: LogEvent): void {
    const room = this.#opened.get(event.room!);
    if (room?.attended) this.rooms.markRead(room.id);
    else room?.timeline.divide(event.seq! - 1);
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
