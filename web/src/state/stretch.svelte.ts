// Owns the messages of a room that are kept: a stretch of its history without a hole, in parts, grown at either end and
// capped. Must not know when it grows, nor what is unread.
import type { Message, MessagePage } from '../api/types';
import { Row } from './row.svelte';

/** Rows of one page. `before` is absent at the start of the room; `after` is always valid. */
interface Part {
  rows: Row[];
  before?: string;
  after: string;
  live?: boolean;
}

type End = 'oldest' | 'newest';

/** The most rows that are kept, plus at most one part. */
const cap = 300;
/** Of these, the rows that are kept at least while the reader follows at the end. */
const few = 100;
const livePart = 50;

export class Stretch {
  #me: string;
  #parts: Part[] = [];
  /** It reaches to the newest message. */
  atEnd = $state(true);

  /** `me` is the reader's id. */
  constructor(me: string) {
    this.#me = me;
  }

  /** It reaches to the first message. */
  get atStart(): boolean {
    return this.#parts.length > 0 && this.#parts[0]!.before === undefined;
  }

  get rows(): Row[] {
    return this.#parts.flatMap((part) => part.rows);
  }

  /** The cursor of what is older; undefined when there is nothing. */
  get before(): string | undefined {
    return this.#parts[0]?.before;
  }

  /** The cursor of what is newer; undefined when nothing was loaded yet. */
  get after(): string | undefined {
    return this.#parts.at(-1)?.after;
  }

  /** Becomes these pages, which follow one another. Messages that are kept already keep their rows. */
  replace(...pages: MessagePage[]): void {
    const known = new Map(this.rows.map((row) => [row.id, row]));
    this.#parts = pages.map((page) => this.#part(page, () => true, known));
    this.atEnd = !pages.at(-1)!.next_cursor;
  }

  growOlder(page: MessagePage): void {
    const until = this.#parts[0]?.rows[0]?.seq ?? Infinity;
    this.#parts.unshift(this.#part(page, (message) => message.seq < until));
    this.#shed('newest');
  }

  growNewer(page: MessagePage): void {
    const from = this.#parts.at(-1)?.rows.at(-1)?.seq ?? 0;
    this.#parts.push(this.#part(page, (message) => message.seq > from));
    this.#shed('oldest');
    if (!page.next_cursor) this.atEnd = true;
  }

  /**
   * Adds a message that was just posted. Whoever follows has new messages drawn all the time, and each costs more the more
   * rows there are, so only the newest are kept: no fewer than `needed`. Who reads further up keeps what is there.
   */
  append(message: Message, cursor: string, following: boolean, needed: number): void {
    const row = this.#row(message);
    const last = this.#parts.at(-1);
    if (last?.live && last.rows.length < livePart) {
      last.rows.push(row);
      last.after = cursor;
    } else {
      const fresh = { rows: [row], before: cursor, after: cursor, live: true };
      if (last?.rows.length) this.#parts.push(fresh);
      else this.#parts = [{ ...fresh, before: undefined }];
    }
    if (following) this.#shed('oldest', Math.max(few, needed));
    else this.#shed('newest');
  }

  /** Takes a message that has changed, if it is kept. */
  change(message: Message): void {
    for (const part of this.#parts) part.rows.find((row) => row.id === message.id)?.take(message);
  }

  /** Drops whole parts from one end while there are too many rows, or while more than `enough` would be left. */
  #shed(end: End, enough = Infinity): void {
    let rows = this.#parts.reduce((sum, part) => sum + part.rows.length, 0);
    while (this.#parts.length > 1) {
      const gone = end === 'oldest' ? this.#parts[0]! : this.#parts.at(-1)!;
      const left = rows - gone.rows.length;
      if (left < enough && (rows <= cap || left < cap / 2)) break;
      rows = left;
      if (end === 'oldest') this.#parts.shift();
      else this.#parts.pop();
      if (end === 'newest') this.atEnd = false;
    }
  }

  #row(message: Message): Row {
    return new Row(message, message.author.id === this.#me);
  }

  #part(page: MessagePage, keep: (message: Message) => boolean, known?: Map<string, Row>): Part {
    const row = (message: Message) => {
      const old = known?.get(message.id);
      old?.take(message);
      return old ?? this.#row(message);
    };
    return {
      rows: page.items.filter(keep).map(row),
      before: page.prev_cursor,
      after: page.next_cursor ?? page.cursor,
    };
  }
}
