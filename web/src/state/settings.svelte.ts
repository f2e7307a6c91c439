// Owns the reader's choices of how the page looks and which keys it takes. Must not know colours, sizes or keys.
import { loadSetting, saveSetting, watchSetting } from '../platform/settings';

export class Setting<T extends string> {
  #name: string;
  value: T = $state()!;

  /** The first of the allowed values is the one of who never chose. */
  constructor(name: string, allowed: readonly [T, ...T[]]) {
    this.#name = name;
    this.value = loadSetting(name, allowed);
    watchSetting(name, () => (this.value = loadSetting(name, allowed)));
  }

  set(value: T): void {
    this.value = value;
    saveSetting(this.#name, value);
  }
}

export const theme = new Setting('theme', ['system', 'light', 'dark']);
export const density = new Setting('density', ['roomy', 'compact']);
/** Hours from 1 to 12, from 0 to 23, or as the reader's region has it. */
export const clock = new Setting('clock', ['region', 'h12', 'h23']);
/** Keys that are a single character, which some people type by accident (WCAG 2.1.4). */
export const letterKeys = new Setting('letter-keys', ['on', 'off']);
