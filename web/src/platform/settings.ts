// Owns the settings that the client keeps in this browser for whoever uses it. They stay after a sign-out. Must not know
// what they mean.
import { settingKey, shelf } from './storage';

/** The stored value if it is one of the allowed ones, else the first of them. */
export function loadSetting<T extends string>(name: string, allowed: readonly [T, ...T[]]): T {
  const stored = shelf.get(settingKey + name);
  return allowed.find((value) => value === stored) ?? allowed[0];
}

/** Runs `heard` when another tab has changed the setting. */
export const watchSetting = (name: string, heard: () => void): (() => void) =>
  shelf.watch((key) => key === settingKey + name && heard());

export const saveSetting = (name: string, value: string): void =>
  shelf.set(settingKey + name, value);
