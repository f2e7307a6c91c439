// Owns the messages of one room that are on screen: a stretch of history in parts, grown at either end and capped, and
// kept current by the room's events. Must not know the network, the screen, or unsent messages.
import type { PageAt } from '../api/calls';
import type { LogEvent, Message, MessagePage } from '../api/types';
import { Sequence } from './sequence';

/** Messages of one page. `before` is absent at the start of the room; `after` is always valid. */
interface Part {
  items: Message[];
  before?: string;
  after: string;
  live?: boolean;
}

/** The most rows that are kept, plus at most one part. With more, each change would take longer than a frame. */
const cap = 300;
const livePart = 50;

export class Timeline {
  #fetch: (at?: PageAt) => Promise<MessagePage>;
  #placed: (messages: Message[]) => void;
  #sequence = new Sequence();
  /** Counts restarts, so that answers to older requests are dropped. */
  #round = 0;
  #held: Part[] = [];

  phase = $state<'new' | 'loading' | 'ready' | 'failed'>('new');
  loading = $state<'older' | 'newer' | null>(null);
  /** The stretch reaches to the newest message. */
  atEnd = $state(true);
  /** How many messages have arrived while the reader was further up. */
  unseen = $state(0);
  /** Messages above this seq were unread when the room was opened. */
  divider = $state<number | null>(null);
  /** The reader is at the end and follows new messages. Set by the screen. */
  following = true;

  messages = $state.raw<Message[]>([]);
  /** The stretch reaches to the first message. */
  atStart = $state(false);

  /** `placed` is called with messages when they become part of the stretch, or of the log after it. */
  constructor(
    fetch: (at?: PageAt) => Promise<MessagePage>,
    placed: (messages: Message[]) => void = () => {},
  ) {
    this.#fetch = fetch;
    this.#placed = placed;
  }

  // Plain fields that this class updates: a derived field would end with the component that first opened the room.
  get #parts(): Part[] {
    return this.#held;
  }

  set #parts(parts: Part[]) {
    this.#held = parts;
    this.messages = parts.flatMap((part) => part.items);
    this.atStart = parts.length > 0 && parts[0]!.before === undefined;
  }

  get lastSeq(): number {
    return this.#sequence.last;
  }

  /** Fetches the newest page and starts over from it. */
  async open(): Promise<void> {
    const round = ++this.#round;
    if (this.phase !== 'ready') this.phase = 'loading';
    this.loading = null;
    this.#sequence.hold();
    try {
      const page = await this.#fetch();
      if (round !== this.#round) return;
      this.#parts = [part(page)];
      this.#placed(page.items);
      this.atEnd = true;
      this.unseen = 0;
      this.phase = 'ready';
      this.#replay(page.last_seq);
    } catch (problem) {
      if (round !== this.#round) return;
      if (this.phase !== 'ready') this.phase = 'failed';
      this.#replay();
      throw problem;
    }
  }

  /** Grows the stretch towards the start of the room. */
  older(): Promise<void> {
    const first = this.#parts[0];
    if (!first?.before) return Promise.resolve();
    return this.#grow('older', { before: first.before }, (page) => {
      const until = this.messages[0]?.seq ?? Infinity;
      this.#parts = [part(page, (message) => message.seq < until), ...this.#parts];
      this.#shed('newest');
    });
  }

  /** Grows the stretch towards now. */
  newer(): Promise<void> {
    const last = this.#parts.at(-1);
    if (!last || this.atEnd) return Promise.resolve();
    return this.#grow('newer', { after: last.after }, (page) => {
      const from = this.messages.at(-1)?.seq ?? 0;
      this.#parts = [...this.#parts, part(page, (message) => message.seq > from)];
      this.#placed(page.items);
      this.#shed('oldest');
      if (page.next_cursor) return undefined;
      this.atEnd = true;
      return page.last_seq;
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

  #change(type: string, message: Message, cursor = ''): void {
    if (type === 'message.posted') {
      if (!this.following || !this.atEnd) this.unseen++;
      if (this.atEnd) this.#append(message, cursor);
      this.#placed([message]);
    } else if (type === 'message.edited' || type === 'message.deleted') {
      this.#parts = this.#parts.map((part) => ({
        ...part,
        items: part.items.map((old) => (old.id === message.id ? message : old)),
      }));
    }
  }

  #append(message: Message, cursor: string): void {
    const last = this.#parts.at(-1);
    if (last?.live && last.items.length < livePart) {
      const grown = { ...last, items: [...last.items, message], after: cursor };
      this.#parts = [...this.#parts.slice(0, -1), grown];
    } else {
      const fresh = { items: [message], before: cursor, after: cursor, live: true };
      this.#parts = last?.items.length
        ? [...this.#parts, fresh]
        : [{ ...fresh, before: undefined }];
    }
    this.#shed(this.following ? 'oldest' : 'newest');
  }

  async #grow(
    way: 'older' | 'newer',
    at: PageAt,
    take: (page: MessagePage) => number | undefined | void,
  ): Promise<void> {
    if (this.loading || this.phase !== 'ready') return;
    const round = this.#round;
    this.loading = way;
    this.#sequence.hold();
    let last: number | undefined;
    try {
      const page = await this.#fetch(at);
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
      if (this.apply(event) === 'gap') return void this.open().catch(() => {});
    }
  }

  /** Drops whole parts from one end while there are too many rows. */
  #shed(end: 'oldest' | 'newest'): void {
    let parts = this.#parts;
    let rows = parts.reduce((sum, part) => sum + part.items.length, 0);
    while (rows > cap && parts.length > 1) {
      const gone = end === 'oldest' ? parts[0]! : parts.at(-1)!;
      if (rows - gone.items.length < cap / 2) break;
      rows -= gone.items.length;
      parts = end === 'oldest' ? parts.slice(1) : parts.slice(0, -1);
      if (end === 'newest') this.atEnd = false;
    }
    this.#parts = parts;
  }
}

function part(page: MessagePage, keep: (message: Message) => boolean = () => true): Part {
  return {
    items: page.items.filter(keep),
    before: page.prev_cursor,
    after: page.next_cursor ?? page.cursor,
  };
}
