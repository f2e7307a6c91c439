// Owns what was typed and not sent, by room. Must not know where it is kept.
import { SvelteMap } from 'svelte/reactivity';

export interface DraftStore {
  load(): [room: string, text: string][];
  save(room: string, text: string): void;
}

export class Drafts {
  #store: DraftStore;
  #texts: SvelteMap<string, string>;

  constructor(store: DraftStore) {
    this.#store = store;
    this.#texts = new SvelteMap(store.load());
  }

  in(room: string): string {
    return this.#texts.get(room) ?? '';
  }

  set(room: string, text: string): void {
    if (text) this.#texts.set(room, text);
    else this.#texts.delete(room);
    this.#store.save(room, text);
  }
}
