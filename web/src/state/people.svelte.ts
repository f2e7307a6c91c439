// Owns the newest known name of each person. Must not know where in the client names are shown.
import { SvelteMap } from 'svelte/reactivity';
import type { LogEvent, UserRef } from '../api/types';

export class People {
  #known = new SvelteMap<string, UserRef>();

  see(person: UserRef | undefined): void {
    if (!person) return;
    const known = this.#known.get(person.id);
    if (known?.display_name !== person.display_name) this.#known.set(person.id, person);
  }

  seeIn(event: LogEvent): void {
    this.see(event.actor);
    this.see(event.message?.author);
    this.see(event.member?.user);
  }

  /** The newest known reference of this person. */
  now(person: UserRef): UserRef {
    return this.#known.get(person.id) ?? person;
  }
}
