// Owns which message of the log the reader is at: by focus, by the mouse, or by a long press. That row is active: its links
// and actions can be reached. Must not know what a message says, nor where the list is scrolled to.
import { isWithOthers } from '../platform/shortcuts';
import type { Row } from '../state/row.svelte';
import type { Timeline } from '../state/timeline.svelte';

/** A touch that rests this long (ms) without moving points at a message, as the mouse does. */
const press = 500;
const still = 10;

export class LogCursor {
  #timeline: Pick<Timeline, 'find'>;
  #focused: Row | undefined;
  #pointed: Row | undefined;

  constructor(timeline: Pick<Timeline, 'find'>) {
    this.#timeline = timeline;
  }

  attach = (log: HTMLElement): (() => void) => {
    const stop = new AbortController();
    const on = <K extends keyof HTMLElementEventMap>(
      type: K,
      run: (event: HTMLElementEventMap[K]) => void,
    ) => log.addEventListener(type, run, { signal: stop.signal, passive: true });
    on('focusin', (event) => this.#focus(this.#rowAt(event.target)));
    // Later, because removing the row that has focus ends its focus in the middle of a change of the page.
    on('focusout', ({ relatedTarget }) => {
      const left = this.#focused;
      queueMicrotask(() => {
        if (this.#focused === left) this.#focus(this.#rowAt(relatedTarget));
      });
    });
    on('pointerover', (event) => {
      if (event.pointerType !== 'touch') this.#point(this.#rowAt(event.target));
    });
    on('pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.#point(undefined);
    });
    this.#longPress(on);
    const elsewhere = (event: PointerEvent) => {
      if (event.pointerType === 'touch' && !log.contains(event.target as Node))
        this.#point(undefined);
    };
    document.addEventListener('pointerdown', elsewhere, { signal: stop.signal, passive: true });
    return () => stop.abort();
  };

  /** Moves focus by one message for an arrow key. */
  move(event: KeyboardEvent, log: HTMLElement): void {
    // With another key they go from room to room, or select text.
    if (isWithOthers(event)) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (!step || event.target instanceof HTMLButtonElement) return;
    const messages = [...log.querySelectorAll<HTMLElement>('.message')];
    const at = messages.findIndex((message) => message.contains(document.activeElement));
    const next = messages[at < 0 ? messages.length - 1 : at + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  /** Moves focus to the last or the first message. */
  toEdge(log: HTMLElement, end: boolean): void {
    const messages = log.querySelectorAll<HTMLElement>('.message');
    (messages[end ? messages.length - 1 : 0] ?? log).focus({ preventScroll: true });
  }

  #longPress(
    on: <K extends keyof HTMLElementEventMap>(
      type: K,
      run: (event: HTMLElementEventMap[K]) => void,
    ) => void,
  ): void {
    let timer = 0;
    let from = { x: 0, y: 0 };
    const end = () => clearTimeout(timer);
    on('pointerdown', (event) => {
      if (event.pointerType !== 'touch') return;
      const row = this.#rowAt(event.target);
      from = event;
      end();
      // A tap elsewhere puts the actions away.
      if (row !== this.#pointed) this.#point(undefined);
      timer = window.setTimeout(() => this.#point(row), press);
    });
    on('pointermove', (event) => {
      if (Math.hypot(event.x - from.x, event.y - from.y) > still) end();
    });
    on('pointerup', end);
    on('scroll', end);
  }

  #rowAt(target: EventTarget | null): Row | undefined {
    const id = target instanceof Element && target.closest<HTMLElement>('.message')?.dataset.id;
    return id ? this.#timeline.find(id) : undefined;
  }

  #focus(row: Row | undefined): void {
    const old = this.#focused;
    this.#focused = row;
    this.#show(old, row);
  }

  #point(row: Row | undefined): void {
    const old = this.#pointed;
    this.#pointed = row;
    this.#show(old, row);
  }

  #show(old: Row | undefined, row: Row | undefined): void {
    if (old) old.active = old === this.#focused || old === this.#pointed;
    if (row) row.active = true;
  }
}
