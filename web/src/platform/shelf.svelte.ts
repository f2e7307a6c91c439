// Owns small texts that outlive the page and are the same in all tabs: the browser's storage, or memory where the
// browser refuses it. Must not know what the texts mean.

/** What a shelf needs of the browser; tests give their own. */
export interface ShelfParts {
  /** The browser's storage. Asking for it may throw, and so may each of its methods. */
  store(): Storage;
  /** Runs `heard` when another tab has changed a text; null means that it was removed. */
  listen(heard: (key: string, text: string | null) => void): void;
}

const probe = 'parlor-probe';

export class Shelf {
  #parts: ShelfParts;
  /** What the browser refused to keep. It is here until the page closes. */
  #held = new Map<string, string | null>();
  #watchers = new Set<(key: string, text: string | null) => void>();

  /** False when the browser has refused to keep a text, so that closing the page loses it. */
  keeps = $state(true);

  constructor(parts: ShelfParts) {
    this.#parts = parts;
    this.set(probe, '1');
    this.remove(probe);
    parts.listen((key, text) => {
      this.#held.delete(key);
      for (const watcher of this.#watchers) watcher(key, text);
    });
  }

  get(key: string): string | null {
    const held = this.#held.get(key);
    return held !== undefined ? held : this.#try((store) => store.getItem(key), null);
  }

  set(key: string, text: string): void {
    this.#change(key, text, (store) => store.setItem(key, text));
  }

  remove(key: string): void {
    this.#change(key, null, (store) => store.removeItem(key));
  }

  /** The keys that begin with `start`, in no order. */
  keys(start: string): string[] {
    const stored = this.#try((store) => Object.keys(store), []);
    const all = new Set([...stored, ...this.#held.keys()]);
    return [...all].filter((key) => key.startsWith(start) && this.#held.get(key) !== null);
  }

  /** Runs `watcher` for each change that another tab makes, until the returned function is called. */
  watch(watcher: (key: string, text: string | null) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  #change(key: string, text: string | null, act: (store: Storage) => void): void {
    const done = this.#try((store) => (act(store), true), false);
    if (done) this.#held.delete(key);
    else this.#held.set(key, text);
    if (text !== null) this.keeps = ![...this.#held.values()].some((held) => held !== null);
  }

  #try<T>(act: (store: Storage) => T, otherwise: T): T {
    try {
      return act(this.#parts.store());
    } catch {
      return otherwise;
    }
  }
}
