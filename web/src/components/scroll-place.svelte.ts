// Owns where the reader is in a list of messages: at the end or further up, when more is needed at either side, and
// coming back to the same place. Must not know what a message says.
import { tick, untrack } from 'svelte';
import { after, ticks } from '../platform/browser';
import type { Mark, OpenRoom } from '../state/room.svelte';
import { Backoff } from '../stream/backoff';

/** Within this distance of the end (px), the list follows new messages. */
const near = 100;

export class ScrollPlace {
  #room: OpenRoom;
  #scroller!: HTMLElement;
  #messages!: HTMLCollectionOf<Element>;
  following = $state(true);
  #backoff = new Backoff(ticks, Math.random);
  /** Asking for more has failed and is not tried before this is over. */
  #paused = false;

  constructor(room: OpenRoom) {
    this.#room = room;
  }

  /** Follows a scroller while it exists. In column-reverse, scrollTop is 0 at the end and negative above it. */
  attach = (scroller: HTMLElement): (() => void) => {
    this.#scroller = scroller;
    this.#messages = scroller.getElementsByClassName('message');
    const { timeline } = this.#room;
    scroller.addEventListener('scroll', this.#scrolled, { passive: true });
    const unmeasure = this.measure(scroller);
    $effect.pre(() => {
      // Browsers without scroll anchoring shift rows when others change, so this puts them back.
      if (CSS.supports('overflow-anchor', 'none') || timeline.rows.length === 0) return;
      const mark = this.following ? null : this.#mark();
      if (mark) void tick().then(() => this.#goTo(mark));
    });
    let arrived = false;
    $effect(() => {
      if (!timeline.starts) return;
      untrack(() => (arrived ? this.#return() : this.#arrive()));
      arrived = true;
    });
    $effect(() => {
      // A page without rows changes no size, and the next one may be needed all the same.
      void [timeline.loading, timeline.atEnd];
      const frame = requestAnimationFrame(this.#scrolled);
      return () => cancelAnimationFrame(frame);
    });
    return () => {
      unmeasure();
      scroller.removeEventListener('scroll', this.#scrolled);
    };
  };

  /** Watches the size of the rows. It is read after the browser has laid them out; earlier it would do so twice. */
  measure = (rows: HTMLElement): (() => void) => {
    const sizes = new ResizeObserver(this.#laidOut);
    sizes.observe(rows);
    return () => sizes.disconnect();
  };

  toEnd(): void {
    this.#scroller.scrollTop = 0;
    this.#scrolled();
  }

  toStart(): void {
    this.#scroller.scrollTop = -this.#scroller.scrollHeight;
    this.#scrolled();
  }

  /** Puts a message into the middle, and focus on it. */
  toMessage(id: string): void {
    const row = this.#scroller.querySelector<HTMLElement>(`[data-id="${id}"]`);
    row?.scrollIntoView({ block: 'center' });
    row?.focus({ preventScroll: true });
    this.#scrolled();
  }

  /** The first time: the place of the last visit, or the first unread message, or the end. */
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

  /** The rows were replaced by others: the reader stays at the same message, or at the end. */
  #return(): void {
    const { place } = this.#room;
    if (place) this.#goTo(place);
  }

  #laidOut = (): void => {
    if (!this.#scroller?.isConnected) return;
    // Whoever is near the end sees new messages come, and not only their upper half.
    if (this.following && this.#scroller.scrollTop !== 0) this.#scroller.scrollTop = 0;
    this.#scrolled();
  };

  #scrolled = (): void => {
    const { timeline } = this.#room;
    this.following = -this.#scroller.scrollTop <= near && timeline.atEnd;
    timeline.following = this.following;
    if (this.following) timeline.seen();
    // The place is stored at each scroll, because rows have no position once the list is removed.
    this.#room.place = this.following ? null : this.#mark();
    this.#fill();
  };

  /** Asks for more messages before either end becomes visible. */
  #fill(): void {
    const { timeline } = this.#room;
    if (this.#paused || timeline.loading || timeline.phase !== 'ready') return;
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const ahead = Math.max(800, 1.5 * clientHeight);
    // With room for rows that are lower than the others. With fewer, the next would be asked for at once.
    timeline.needed = Math.ceil(
      (1.5 * this.#messages.length * (clientHeight + ahead)) / scrollHeight,
    );
    if (!timeline.atStart && scrollHeight - clientHeight + scrollTop < ahead) {
      this.#follow(timeline.older());
    } else if (!timeline.atEnd && -scrollTop < ahead) {
      this.#follow(timeline.newer());
    }
  }

  #follow(growing: Promise<void>): void {
    growing.then(
      () => this.#backoff.reset(),
      (problem: unknown) => {
        this.#paused = true;
        after(this.#backoff.wait(problem), () => {
          this.#paused = false;
          if (this.#scroller.isConnected) this.#scrolled();
        });
      },
    );
  }

  /** The first message in view. Rows are in order, so a search by halves finds it with few looks. */
  #mark(): Mark | null {
    const top = this.#scroller.getBoundingClientRect().top;
    let [low, high] = [0, this.#messages.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#messages[middle]!.getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    const row = this.#messages[low] as HTMLElement | undefined;
    return row ? { id: row.dataset.id!, top: row.getBoundingClientRect().top - top } : null;
  }

  #goTo(mark: Mark): void {
    const row = this.#scroller.querySelector(`[data-id="${mark.id}"]`);
    if (!row) return;
    const top = this.#scroller.getBoundingClientRect().top;
    this.#scroller.scrollTop += row.getBoundingClientRect().top - top - mark.top;
  }
}
