// Owns one message as the screen shows it. It lives as long as the message is on the screen and is changed in place, so
// that a change costs this row alone. Must not know the other rows.
import type { Message } from '../api/types';
import { placeOf } from '../text/rows';

export class Row {
  readonly id: string;
  readonly seq: number;
  /** Names its element on the screen: the reader's own message keeps the one that it had before it was confirmed. */
  readonly key: string;
  message: Message = $state.raw(null!);
  day = $state(false);
  head = $state(false);
  fresh = $state(false);
  /** The reader points at it or has focus in it: its links and actions can be reached. */
  active = $state(false);
  /** A link led to this message. */
  sought = $state(false);
  /** The row before when this one was placed last: its id, `start` of the room, empty when not known; null before that. */
  #below: string | null = null;

  constructor(message: Message, mine: boolean) {
    this.id = message.id;
    this.key = (mine && message.client_id) || message.id;
    this.seq = message.seq;
    this.message = message;
  }

  /** Takes the message as the server has it now. */
  take(message: Message): void {
    const old = this.message;
    const same = ['body', 'edited_at', 'deleted_at'] as const;
    if (same.some((field) => old[field] !== message[field])) this.message = message;
  }

  /**
   * Takes its place below the row before it. Does nothing if that is the same row as last time, or is not kept any more,
   * unless `anew`: a day line that appeared then would be read out.
   */
  stand(before: Row | undefined, divider: number | null, first: boolean, anew: boolean): void {
    const below = before?.id ?? (first ? 'start' : '');
    if (this.#below !== null && (below === this.#below || !below) && !anew) return;
    this.#below = below;
    const place = placeOf(before?.message, this.message, divider, first);
    this.day = place.day;
    this.head = place.head;
    this.fresh = place.fresh;
  }
}
