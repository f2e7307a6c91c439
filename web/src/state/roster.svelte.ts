// Owns who is in one room, page by page, kept current by the room's events. Must not know the network or the screen.
import type { LogEvent, Member, MemberPage } from '../api/types';
import { Sequence } from './sequence';

const gone = ['member.left', 'member.removed', 'member.banned'];

export class Roster {
  #fetch: (page?: string) => Promise<MemberPage>;
  #sequence = new Sequence();
  #next: string | undefined;
  #round = 0;

  members = $state.raw<Member[]>([]);
  phase = $state<'new' | 'loading' | 'ready' | 'failed'>('new');
  more = $state(false);
  /** Events are missing since the members were fetched. */
  stale = $state(false);
  /** Why the last opening failed; null while there is another one. */
  trouble = $state.raw<unknown>(null);

  constructor(fetch: (page?: string) => Promise<MemberPage>) {
    this.#fetch = fetch;
  }

  /** What has to be here is not. */
  get lacks(): boolean {
    return this.phase === 'failed' || this.stale;
  }

  async open(): Promise<void> {
    const round = ++this.#round;
    if (this.phase !== 'ready') this.phase = 'loading';
    this.trouble = null;
    this.#sequence.hold();
    try {
      const page = await this.#fetch();
      if (round !== this.#round) return;
      this.members = page.items;
      this.#turn(page);
      this.phase = 'ready';
      this.stale = false;
      this.#replay(page.last_seq);
    } catch (problem) {
      if (round !== this.#round) return;
      if (this.phase !== 'ready') this.phase = 'failed';
      this.trouble = problem;
      this.#replay();
    }
  }

  /** Fetches the next page. Over several pages the first one's `last_seq` counts, because later events are already applied. */
  async showMore(): Promise<void> {
    if (!this.#next) return;
    const round = this.#round;
    const page = await this.#fetch(this.#next);
    if (round !== this.#round) return;
    const known = new Set(this.members.map((member) => member.user.id));
    this.members = [...this.members, ...page.items.filter((member) => !known.has(member.user.id))];
    this.#turn(page);
  }

  apply(event: LogEvent): void {
    if (this.phase === 'new') return;
    const verdict = this.#sequence.judge(event);
    if (verdict === 'gap') {
      if (this.lacks) return;
      this.stale = true;
      return void this.open();
    }
    const member = event.member;
    if (verdict !== 'next' || !member) return;
    const at = this.members.findIndex((known) => known.user.id === member.user.id);
    if (gone.includes(event.type)) {
      this.members = this.members.filter((_, index) => index !== at);
    } else if (at >= 0) {
      this.members = this.members.with(at, member);
    } else if (event.type === 'member.joined') {
      this.members = [...this.members, member];
    }
  }

  #turn(page: MemberPage): void {
    this.#next = page.next_page;
    this.more = !!page.next_page;
  }

  #replay(last?: number): void {
    for (const event of this.#sequence.settle(last)) this.apply(event);
  }
}
