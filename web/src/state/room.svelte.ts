// Owns one room that was opened: its history, its members, and where the reader was in it. Must not know the network or
// the screen.
import type { Calls } from '../api/calls';
import type { LogEvent, Message } from '../api/types';
import { Roster } from './roster.svelte';
import { Timeline } from './timeline.svelte';

/** A row and its distance (px) below the top of the view. */
export interface Mark {
  id: string;
  top: number;
}

export class OpenRoom {
  readonly id: string;
  readonly timeline: Timeline;
  readonly roster: Roster;
  /** The row to return to; null means the end. */
  place: Mark | null = null;
  /** The reader looks at the end of this room now: the page is visible and has focus. Set by the screen. */
  attended = false;
  #known: (room: string, seq: number) => void;

  /** `placed` is called with messages that are shown now, `known` with the seq up to which the room's log is known. */
  constructor(
    id: string,
    me: string,
    calls: Pick<Calls, 'messages' | 'members'>,
    placed: (messages: Message[]) => void,
    known: (room: string, seq: number) => void,
  ) {
    this.id = id;
    this.#known = known;
    this.timeline = new Timeline((at) => calls.messages(id, at), me, placed);
    this.roster = new Roster((page) => calls.members(id, page));
  }

  /** Fetches the newest messages, or those around one of them, and the members. */
  async load(around?: string): Promise<void> {
    await Promise.all([
      this.timeline.open(around).then(() => this.#known(this.id, this.timeline.lastSeq)),
      this.roster.open(),
    ]);
  }

  /** Takes an event. The screen shows it after `show`. */
  apply(event: LogEvent): void {
    this.roster.apply(event);
    if (this.timeline.apply(event) === 'gap') void this.reload();
  }

  show(): void {
    this.timeline.show();
  }

  /**
   * Fetches the room again after a gap. The old rows stay until the new ones arrive. At the end the newest messages
   * come; further up the reader keeps the place.
   */
  async reload(): Promise<void> {
    const around = this.timeline.following ? undefined : this.place?.id;
    await this.load(around).catch(() => {});
  }
}
