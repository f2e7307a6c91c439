// Owns one room that was opened: its history, its members, and where the reader was in it. Must not know the network or
// the screen.
import type { Calls } from '../api/calls';
import { Problem } from '../api/problem';
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
  /** The message that a link asks for, until the screen has gone there. */
  wanted = $state<string | null>(null);
  /** There is no such message as a link has asked for. */
  nowhere = $state(false);
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

  /** Fetches the messages, at the end or at the place of the reader, and the members. What fails is told by `lacks`. */
  async load(): Promise<void> {
    await Promise.all([this.loadMessages(), this.roster.open()]);
  }

  async loadMessages(): Promise<void> {
    const { wanted, timeline } = this;
    try {
      await timeline.open(wanted ?? (timeline.following ? undefined : this.place?.id));
      this.#known(this.id, timeline.lastSeq);
    } catch (problem) {
      const none = problem instanceof Problem && problem.status === 404;
      if (!none || !wanted || wanted !== this.wanted) return;
      this.wanted = null;
      this.nowhere = true;
      if (timeline.lacks) await this.loadMessages();
    }
  }

  /** Loads the room if it was not loaded yet, or what a link asks for in it. */
  async seek(message: string | null): Promise<void> {
    this.nowhere = false;
    this.wanted = message;
    if (this.timeline.phase === 'new') await this.load();
    else if (message && !this.timeline.find(message)) await this.loadMessages();
  }

  /** What has to be here is not. */
  get lacks(): boolean {
    return this.timeline.lacks || this.wanted !== null;
  }

  /** Takes an event. The screen shows it after `show`. */
  apply(event: LogEvent): void {
    this.roster.apply(event);
    // A gap that is known already is mended by whoever shows the room.
    if (this.timeline.apply(event) === 'gap' && !this.timeline.lacks) void this.reload(false);
  }

  show(): void {
    this.timeline.show();
  }

  /**
   * Fetches the room again after a gap. The old rows stay until the new ones arrive. At the end the newest messages
   * come; further up the reader keeps the place. `seen`: the reader has seen all before the gap.
   */
  async reload(seen: boolean): Promise<void> {
    this.timeline.missing(seen);
    this.roster.stale = true;
    await this.load();
  }
}
