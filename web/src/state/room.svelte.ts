// Owns one room that was opened: its history, its members, and where the reader was in it. Must not know the network or
// the screen.
import type { Calls } from '../api/calls';
import type { LogEvent, Message } from '../api/types';
import { Roster } from './roster.svelte';
import { Timeline } from './timeline.svelte';

export class OpenRoom {
  readonly id: string;
  readonly timeline: Timeline;
  readonly roster: Roster;
  /** The row to return to and its place in the view; null means the end. */
  place: { seq: string; top: number } | null = null;
  #known: (room: string, seq: number) => void;

  /** `placed` is called with messages that are shown now, `known` with the seq up to which the room's log is known. */
  constructor(
    id: string,
    calls: Pick<Calls, 'messages' | 'members'>,
    placed: (messages: Message[]) => void,
    known: (room: string, seq: number) => void,
  ) {
    this.id = id;
    this.#known = known;
    this.timeline = new Timeline((at) => calls.messages(id, at), placed);
    this.roster = new Roster((page) => calls.members(id, page));
  }

  async load(): Promise<void> {
    await Promise.all([
      this.timeline.open().then(() => this.#known(this.id, this.timeline.lastSeq)),
      this.roster.open(),
    ]);
  }

  apply(event: LogEvent): void {
    this.roster.apply(event);
    if (this.timeline.apply(event) === 'gap') void this.reload();
  }

  /** Fetches the room again after a gap. The old rows stay until the new ones arrive. */
  async reload(): Promise<void> {
    this.place = null;
    await this.load().catch(() => {});
  }
}
