// Owns where the reader is in a list of messages: at the end or further up, when more is needed at either side, and
// coming back to the same place. Must not know what a message says.
import { tick, untrack } from 'svelte';
import type { OpenRoom } from '../state/room.svelte';

/** Within this distance of the end (px), the list follows new messages. */
const near = 100;

/** A row and its distance (px) below the top of the view. */
interface Mark {
  seq: string;
  top: number;
}

export class ScrollPlace {
  #room: OpenRoom;
  #scroller!: HTMLElement;
  following = $state(true);

  constructor(room: OpenRoom) {
    this.#room = room;
  }

  /** Follows a scroller while it exists. In column-reverse, scrollTop is 0 at the end and negative above it. */
  attach = (scroller: HTMLElement): (() => void) => {
    this.#scroller = scroller;
    const { timeline } = this.#room;
    scroller.addEventListener('scroll', this.#scrolled, { passive: true });
    $effect.pre(() => {
      // Browsers without scroll anchoring shift rows when others change, so this puts them back.
      if (CSS.supports('overflow-anchor', 'none') || timeline.messages.length === 0) return;
      const mark = this.following ? null : this.#mark();
      if (mark) void tick().then(() => this.#goTo(mark));
    });
    let arrived = false;
    $effect(() => {
      if (timeline.phase !== 'ready') return;
      if (!arrived) untrack(() => this.#arrive());
      arrived = true;
      // Each change may leave too few rows on either side.
      void [timeline.messages, timeline.loading];
      untrack(() => this.#scrolled());
    });
    return () => {
      scroller.removeEventListener('scroll', this.#scrolled);
    };
  };

  toEnd(): void {
    this.#scroller.scrollTop = 0;
    this.#follow(true);
  }

  #arrive(): void {
    const { place } = this.#room;
    const fresh = this.#scroller.querySelector('.rule.new');
    if (place) this.#goTo(place);
    else if (fresh) {
      const above = fresh.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
      if (above < 0) this.#scroller.scrollTop += above;
    }
    this.#scrolled();
  }

  #scrolled = (): void => {
    this.#follow(-this.#scroller.scrollTop <= near);
    // The place is stored at each scroll, because rows have no position once the list is removed.
    this.#room.place = this.following ? null : this.#mark();
    this.#fill();
  };

  #follow(following: boolean): void {
    const { timeline } = this.#room;
    this.following = timeline.following = following;
    if (following && timeline.atEnd) timeline.unseen = 0;
  }

  /** Asks for more messages before either end becomes visible. */
  #fill(): void {
    const { timeline } = this.#room;
    if (timeline.loading || timeline.phase !== 'ready') return;
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const ahead = Math.max(800, 1.5 * clientHeight);
    if (!timeline.atStart && scrollHeight - clientHeight + scrollTop < ahead) {
      void timeline.older().catch(() => {});
    } else if (!timeline.atEnd && -scrollTop < ahead) {
      void timeline.newer().catch(() => {});
    }
  }

  #mark(): Mark | null {
    const top = this.#scroller.getBoundingClientRect().top;
    for (const row of this.#scroller.querySelectorAll<HTMLElement>('.message')) {
      const box = row.getBoundingClientRect();
      if (box.bottom > top) return { seq: row.dataset.seq!, top: box.top - top };
    }
    return null;
  }

  #goTo(mark: Mark): void {
    const row = this.#scroller.querySelector(`[data-seq="${mark.seq}"]`);
    if (!row) return;
    const top = this.#scroller.getBoundingClientRect().top;
    this.#scroller.scrollTop += row.getBoundingClientRect().top - top - mark.top;
  }
}
