// Owns the messages of one room that are on screen: what is loaded when, kept current by the room's events, and what of it
// is new to the reader. Must not know the network, the screen, or unsent messages.
import type { PageAt } from '../api/calls';
import type { LogEvent, Message, MessagePage } from '../api/types';
import type { Row } from './row.svelte';
import { Sequence } from './sequence';
import { Stretch } from './stretch.svelte';

/** Messages of a page on long ways: back to the divider, and to the start of the room. */
const longPage = 200;

/** Where the stretch grows, how the page is fetched, and what becomes of it: gives the room's newest seq if that is known then. */
type Growth = [
  way: 'older' | 'newer',
  fetch: () => Promise<MessagePage>,
  take: (page: MessagePage) => number | undefined | void,
];

export class Timeline {
  #fetch: (at?: PageAt) => Promise<MessagePage>;
  #me: string;
  #placed: (messages: Message[]) => void;
  #sequence = new Sequence();
  /** Counts restarts, so that answers to older requests are dropped. */
  #round = 0;
  #stretch: Stretch;
  #divider: number | null = null;

  phase = $state<'new' | 'loading' | 'ready' | 'failed'>('new');
  /** Events are missing after the stretch, until it is opened again. */
  stale = $state(false);
  /** Why the last opening failed; null while there is another one. */
  trouble = $state.raw<unknown>(null);
  /** Up to here the reader had seen all when events began to be missing. */
  #missed: number | null = null;
  loading = $state<'older' | 'newer' | null>(null);
  #growing: Promise<void> | null = null;
  /** How many messages have arrived while the reader was further up. */
  unseen = $state(0);
  /** More than `unseen` have arrived; their number is not known. */
  unseenMore = $state(false);
  /** The reader is at the end and follows new messages. Set by the screen. */
  following = true;
  /** How many rows fill the view and what is read ahead. Set by the screen. */
  needed = 0;
  /** Counts the times that the stretch was replaced by another one. */
  starts = $state(0);

  rows = $state.raw<Row[]>([]);
  /** The stretch reaches to the first message. */
  atStart = $state(false);

  /** `placed` is called with messages when they become part of the stretch, or of the log after it. */
  constructor(
    fetch: (at?: PageAt) => Promise<MessagePage>,
    me: string,
    placed: (messages: Message[]) => void = () => {},
  ) {
    this.#fetch = fetch;
    this.#me = me;
    this.#placed = placed;
    this.#stretch = new Stretch(me);
  }

  /** The stretch reaches to the newest message. */
  get atEnd(): boolean {
    return this.#stretch.atEnd;
  }

  get lastSeq(): number {
    return this.#sequence.last;
  }

  /** Messages above this seq are unread; the line stands above the first of them. */
  get divider(): number | null {
    return this.#divider;
  }

  /** Sets the divider. It does not move by itself afterwards. */
  divide(seq: number | null): void {
    if (seq === this.#divider) return;
    this.#divider = seq;
    this.regroup();
  }

  /** Sets the divider below what was known when the reader was last here, unless all above it is the reader's own. */
  divideAfter(seq: number): void {
    this.#divider = seq;
    this.#settleDivider();
    this.regroup();
  }

  /** Events may be missing from now on, and the next opening fetches them. `seen`: the reader has seen all before. */
  missing(seen: boolean): void {
    this.stale = true;
    if (seen && this.phase === 'ready') this.#missed ??= this.lastSeq;
  }

  /** What has to be here is not: the room could not be opened, or events are missing. */
  get lacks(): boolean {
    return this.phase === 'failed' || this.stale;
  }

  find(id: string): Row | undefined {
    return this.rows.find((row) => row.id === id);
  }

  /** Marks the message that a link led to, and no other. */
  seek(id: string | null): void {
    for (const row of this.rows) row.sought = row.id === id;
  }

  /** Fetches the newest page, or the one around a message, and starts over from it. */
  async open(around?: string): Promise<void> {
    const round = ++this.#round;
    const known = this.phase === 'ready' ? this.lastSeq : null;
    // A failed room says so until it succeeds; it must not flicker with each attempt.
    if (known === null && this.phase !== 'failed') this.phase = 'loading';
    this.loading = null;
    this.trouble = null;
    this.#sequence.hold();
    try {
      const page = await this.#fetch(around ? { around } : undefined);
      const pages = known === null && !around ? [...(await this.#toDivider(page)), page] : [page];
      if (round !== this.#round) return;
      this.#stretch.replace(...pages);
      for (const page of pages) this.#placed(page.items);
      if (known === null) this.#settleDivider();
      this.#count(known ?? page.last_seq, page.last_seq, !around);
      this.phase = 'ready';
      this.stale = false;
      this.starts++;
      this.#replay(page.last_seq);
      if (this.#missed !== null && this.#missed < this.lastSeq) this.divideAfter(this.#missed);
      this.#missed = null;
    } catch (problem) {
      if (round !== this.#round) return;
      if (this.phase !== 'ready') this.phase = 'failed';
      this.trouble = problem;
      this.#replay();
      throw problem;
    }
  }

  /** Grows the stretch towards the start of the room. */
  older(): Promise<void> {
    const { before } = this.#stretch;
    if (!before) return Promise.resolve();
    return this.#grow(
      'older',
      () => this.#fetch({ before }),
      (page) => this.#stretch.growOlder(page),
    );
  }

  /** Grows the stretch towards now. */
  newer(): Promise<void> {
    const { after } = this.#stretch;
    if (!after || this.atEnd) return Promise.resolve();
    return this.#grow(
      'newer',
      () => this.#fetch({ after }),
      (page) => {
        this.#stretch.growNewer(page);
        this.#placed(page.items);
        return page.next_cursor ? undefined : page.last_seq;
      },
    );
  }

  /** Goes to the first message of the room, over as many pages as it takes, after the page that is being loaded. */
  async toStart(): Promise<void> {
    await this.#growing?.catch(() => {});
    const round = this.#round;
    let at: PageAt = { before: this.#stretch.before, limit: longPage };
    if (!at.before) return;
    let pages = 0;
    const walk = async () => {
      for (;;) {
        const page = await this.#fetch(at);
        pages++;
        if (!page.prev_cursor || round !== this.#round) return page;
        at = { before: page.prev_cursor, limit: longPage };
      }
    };
    await this.#grow('older', walk, (page) => {
      // What is in between was not kept.
      if (pages === 1) this.#stretch.growOlder(page);
      else this.#stretch.replace(page);
    });
  }

  /** Takes an event of this room; `gap` when events are missing and the caller should open it again. */
  apply(event: LogEvent): 'gap' | 'fine' {
    if (this.phase === 'new') return 'fine';
    const verdict = this.#sequence.judge(event);
    if (verdict === 'gap') return 'gap';
    if (verdict === 'next' && event.message) this.#change(event.type, event.message, event.cursor);
    return 'fine';
  }

  /** Puts on the screen what was applied. Called once after all events of one turn. */
  show(): void {
    const { rows, atStart } = this.#stretch;
    const old = this.rows;
    this.atStart = atStart;
    if (rows.length === old.length && rows.every((row, at) => row === old[at])) return;
    this.rows = rows;
    this.#group(false);
  }

  /** Groups all rows anew: the days begin elsewhere when the time zone has changed. */
  regroup(): void {
    this.#group(true);
  }

  #group(anew: boolean): void {
    let before: Row | undefined;
    for (const row of this.rows) {
      row.stand(before, this.#divider, this.atStart, anew);
      before = row;
    }
  }

  /** Counts what arrived between two seqs while the stretch was not kept current. */
  #count(known: number, last: number, toEnd: boolean): void {
    if (this.atEnd && (toEnd || this.following)) return this.seen();
    if (!this.atEnd) this.unseenMore ||= last > known;
    else this.unseen += this.#stretch.rows.filter((row) => row.seq > known).length;
  }

  /** The reader is at the end and has seen all. */
  seen(): void {
    this.unseen = 0;
    this.unseenMore = false;
  }

  /** The page before the newest one, if that is needed to show where the unread messages begin. */
  async #toDivider(newest: MessagePage): Promise<MessagePage[]> {
    const first = newest.items[0];
    const before = newest.prev_cursor;
    if (this.#divider === null || !before || !first || first.seq <= this.#divider) return [];
    const page = await this.#fetch({ before, limit: longPage });
    return page.items.length && page.items[0]!.seq > this.#divider && page.prev_cursor
      ? []
      : [page];
  }

  /** Whoever wrote in the room had read it up to there; and only what others wrote is unread. */
  #settleDivider(): void {
    // What is not loaded may be anybody's.
    if (this.#divider === null || !this.atEnd) return;
    const rows = this.#stretch.rows;
    const mine = rows.findLast((row) => row.message.author.id === this.#me);
    const divider = Math.max(this.#divider, mine?.seq ?? 0);
    this.#divider = rows.some((row) => row.seq > divider) ? divider : null;
  }

  #change(type: string, message: Message, cursor = ''): void {
    if (type === 'message.posted') {
      const mine = message.author.id === this.#me;
      if (!mine && !(this.following && this.atEnd)) this.unseen++;
      if (this.atEnd) this.#stretch.append(message, cursor, this.following, this.needed);
      this.#placed([message]);
    } else if (type === 'message.edited' || type === 'message.deleted') {
      this.#stretch.change(message);
    }
  }

  #grow(...how: Growth): Promise<void> {
    if (this.loading || this.phase !== 'ready') return Promise.resolve();
    this.#growing = this.#load(...how);
    return this.#growing;
  }

  async #load(...[way, fetch, take]: Growth): Promise<void> {
    const round = this.#round;
    this.loading = way;
    this.#sequence.hold();
    let last: number | undefined;
    try {
      const page = await fetch();
      if (round === this.#round) last = take(page) ?? undefined;
    } finally {
      if (round === this.#round) {
        this.loading = null;
        this.#replay(last);
      }
    }
  }

  #replay(last?: number): void {
    for (const event of this.#sequence.settle(last)) {
      if (this.apply(event) !== 'gap') continue;
      // What comes after a gap is fetched with it. Whoever knows of the gap has asked for it already.
      if (this.lacks) break;
      this.stale = true;
      return void this.open().catch(() => {});
    }
    this.show();
  }
}
