// Owns where the reader goes by links and by keys, and what is open over the page. Must not know how any of it looks.
import { isTextBox, shortcut, type Shortcut } from '../platform/shortcuts';
import { roomPath, type Page, type Route } from '../state/route.svelte';
import type { Sections } from '../state/sections.svelte';
import { letterKeys } from '../state/settings.svelte';

/** The drawer of rooms and the dialogs, of which one is open at a time. */
export type Overlay = 'rooms' | 'switch' | 'create' | 'leave' | 'keys';

export class Navigation {
  readonly #route: Route;
  readonly #sections: Pick<Sections, 'beside'>;
  readonly #read: (room: string) => void;
  #searches = 0;

  open = $state<Overlay | null>(null);
  /** Changes when the search of the directory is to have the focus; 0 when it is not. */
  seek = $state(0);

  /** `read` marks a room as read. */
  constructor(route: Route, sections: Pick<Sections, 'beside'>, read: (room: string) => void) {
    this.#route = route;
    this.#sections = sections;
    this.#read = read;
  }

  get page(): Page {
    return this.#route.page;
  }

  /** The room that is open. */
  get here(): string | null {
    return this.page.name === 'room' ? this.page.room : null;
  }

  show = (overlay: Overlay): void => void (this.open = overlay);

  close = (): void => void (this.open = null);

  go = (path: string): void => {
    this.open = null;
    this.seek = 0;
    this.#route.go(path);
  };

  /** Follows links within the client without loading a page. All other clicks are left to the browser. */
  follow = (event: MouseEvent): void => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey);
    if (!link || !plain || link.origin !== location.origin || link.target || link.hash) return;
    event.preventDefault();
    this.go(link.pathname);
  };

  press = (event: KeyboardEvent): void => {
    const typing = isTextBox(event.target);
    const key = shortcut(event, typing, letterKeys.value === 'on');
    // What is open has its own keys.
    if (!key || (key === 'escape' && !this.here)) return;
    if (key !== 'switch' && document.querySelector('dialog[open], :popover-open')) return;
    event.preventDefault();
    this.#act(key, typing);
  };

  #act(key: Shortcut, typing: boolean): void {
    if (key === 'switch') this.open = this.open === 'switch' ? null : 'switch';
    else if (key === 'list') this.open = 'keys';
    else if (key === 'directory') this.#search();
    else if (key === 'escape') this.#leave(typing);
    else {
      const step = key.endsWith('above') ? -1 : 1;
      const room = this.#sections.beside(this.here, step, key.startsWith('unread'));
      if (room) this.go(roomPath(room.state.id));
    }
  }

  #search(): void {
    this.go('/rooms');
    this.seek = ++this.#searches;
  }

  /** Escape leads back to the box that messages are written in, and from there it marks the room as read. */
  #leave(typing: boolean): void {
    if (!this.here) return;
    if (typing) this.#read(this.here);
    else document.querySelector<HTMLElement>('main textarea')?.focus();
  }
}
