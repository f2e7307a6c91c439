// Owns what was typed and not sent: one draft for each room, the same in all tabs. Must not know where it is kept.
import { SvelteMap } from 'svelte/reactivity';

export interface DraftStore {
  load(): [room: string, text: string][];
  save(room: string, text: string): void;
  /** Runs `heard` when another tab has changed a draft; an empty text means that it is gone. */
  watch(heard: (room: string, text: string) => void): () => void;
}

export class Drafts {
  #store: DraftStore;
  #texts: SvelteMap<string, string>;
  /** Ends the listening to other tabs. */
  readonly stop: () => void;

  constructor(store: DraftStore) {
    this.#store = store;
    this.#texts = new SvelteMap(store.load().filter(([, text]) => text));
    this.stop = store.watch((room, text) => this.#put(room, text));
  }

  in(room: string): string {
    return this.#texts.get(room) ?? '';
  }

  get any(): boolean {
    return this.#texts.size > 0;
  }

  set(room: string, text: string): void {
    this.#put(room, text);
    this.#store.save(room, text);
  }

  #put(room: string, text: string): void {
    if (text) this.#texts.set(room, text);
    else this.#texts.delete(room);
  }
}
