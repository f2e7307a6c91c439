// Owns the list of completions at the caret: when it is open, what it offers, which one is chosen. Must not know how the
// list looks, nor where people, rooms and emoji come from.
import type { Edit, Selected } from '../../text/edit';
import { matchScore } from '../../text/match';
import { triggerAt, type Kind, type Trigger } from '../../text/trigger';

export interface Choice {
  /** What stands in the text once it is chosen. */
  insert: string;
  label: string;
  /** More about it, which its letters are also found in. */
  note: string;
  /** Whose colour or picture stands before it; undefined for an emoji, which is its own. */
  id?: string;
}

/** What can be completed of one kind. */
export interface Offer {
  /** What is at hand: emoji with the closest first, others in no order. */
  find(letters: string): Choice[];
  /** Brings more to be found; undefined when there is no more. */
  load?(): Promise<unknown> | undefined;
}

export type Source = Record<Kind, Offer>;

const mostShown = 8;

export class Completion {
  #source: Source;
  #trigger: Trigger | null = null;
  /** The place of a sign that was dismissed by Escape, until the caret leaves it. */
  #dismissed = -1;

  choices = $state.raw<Choice[]>([]);
  kind = $state<Kind>('emoji');
  at = $state(0);

  constructor(source: Source) {
    this.#source = source;
  }

  get open(): boolean {
    return this.choices.length > 0;
  }

  /** The text or the caret has changed. */
  async look({ text, start, end }: Selected): Promise<void> {
    const trigger = start === end ? triggerAt(text, start) : null;
    if (trigger?.from !== this.#dismissed) this.#dismissed = -1;
    this.#trigger = trigger && this.#dismissed < 0 ? trigger : null;
    if (!this.#trigger) return this.#show([]);
    const of = this.#trigger;
    // What is at hand is shown before the next key: an arrow must find the list that its letters ask for.
    this.#offer(of);
    const loading = this.#source[of.kind].load?.();
    if (!loading) return;
    // What did not arrive is asked for again at the next letter.
    await loading.catch(() => {});
    if (of !== this.#trigger) return;
    const chosen = this.choices[this.at]?.insert;
    this.#offer(of);
    this.at = Math.max(
      this.choices.findIndex(({ insert }) => insert === chosen),
      0,
    );
  }

  move(step: number): void {
    this.at = (this.at + step + this.choices.length) % this.choices.length;
  }

  /** What the choice does to the text. */
  choose(choice: Choice | undefined, { start }: Selected): Edit | null {
    if (!choice || !this.#trigger) return null;
    const insert = `${choice.insert} `;
    const { from } = this.#trigger;
    const caret = from + insert.length;
    this.close();
    return { from, to: start, insert, start: caret, end: caret };
  }

  /** Closes the list for as long as the caret stays behind the same sign. */
  dismiss(): void {
    const from = this.#trigger?.from ?? -1;
    this.close();
    this.#dismissed = from;
  }

  close(): void {
    this.#trigger = null;
    this.#dismissed = -1;
    this.#show([]);
  }

  #offer({ kind, letters }: Trigger): void {
    const found = this.#source[kind].find(letters);
    this.kind = kind;
    this.#show(kind === 'emoji' ? found.slice(0, mostShown) : best(found, letters));
  }

  #show(choices: Choice[]): void {
    this.choices = choices;
    this.at = 0;
  }
}

/** Those whose name has the letters, the closest first. */
function best(all: Choice[], letters: string): Choice[] {
  const scored = all.map((choice) => {
    const scores = [choice.label, choice.note].map((name) => matchScore(letters, name) ?? Infinity);
    return { choice, score: Math.min(...scores) };
  });
  return scored
    .filter(({ score }) => score < Infinity)
    .sort((a, b) => a.score - b.score || a.choice.label.localeCompare(b.choice.label))
    .slice(0, mostShown)
    .map(({ choice }) => choice);
}
