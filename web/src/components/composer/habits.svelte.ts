// Owns how this person likes to write: whether the bar of marks is shown, the emoji used last, and their skin tone. Must
// not know where it is kept.

export interface Habit {
  bar: boolean;
  /** The emoji used last, without tones; the newest first. */
  recent: string[];
  /** From 1 (light) to 5 (dark); 0 is none. */
  tone: number;
}

export interface HabitStore {
  load(): Partial<Habit>;
  save(habit: Habit): void;
}

const mostRecent = 18;

export class Habits {
  #store: HabitStore;
  #habit = $state.raw<Habit>(null!);

  /** `bar`: whether the bar is shown while nobody has chosen. */
  constructor(store: HabitStore, otherwise: Pick<Habit, 'bar'>) {
    this.#store = store;
    const { bar, recent, tone } = store.load();
    this.#habit = {
      bar: typeof bar === 'boolean' ? bar : otherwise.bar,
      recent: Array.isArray(recent) ? recent.filter((emoji) => typeof emoji === 'string') : [],
      tone: typeof tone === 'number' && tone >= 1 && tone <= 5 ? Math.floor(tone) : 0,
    };
  }

  get bar(): boolean {
    return this.#habit.bar;
  }

  set bar(bar: boolean) {
    this.#set({ bar });
  }

  get tone(): number {
    return this.#habit.tone;
  }

  set tone(tone: number) {
    this.#set({ tone });
  }

  get recent(): string[] {
    return this.#habit.recent;
  }

  used(emoji: string): void {
    const others = this.recent.filter((known) => known !== emoji);
    this.#set({ recent: [emoji, ...others].slice(0, mostRecent) });
  }

  #set(change: Partial<Habit>): void {
    this.#habit = { ...this.#habit, ...change };
    this.#store.save(this.#habit);
  }
}
