// Owns how moments are written, in the language of the page and the reader's time zone. Must not know what happened at them.
import { kept } from './locale';
import { zone } from './zone.svelte';

/** A formatter keeps the time zone in which it was made. Reading the zone also makes what is on the screen follow it. */
const here = <T>(key: string, make: (language: string | undefined) => T): T =>
  kept(`${key} ${zone.name}`, make);

const written = (key: string, at: string | Date, options: Intl.DateTimeFormatOptions): string =>
  here(key, (language) => new Intl.DateTimeFormat(language, options)).format(new Date(at));

export const timeOfDay = (at: string): string => written('time', at, { timeStyle: 'short' });
export const fullTime = (at: string): string =>
  written('full', at, { dateStyle: 'full', timeStyle: 'medium' });
export const dateAndTime = (at: string): string =>
  written('date', at, { dateStyle: 'medium', timeStyle: 'short' });

/** A key that is equal for two moments exactly when both are on the same day for the reader. */
export function dayKey(at: string): string {
  const moment = new Date(at);
  return `${moment.getFullYear()}-${moment.getMonth()}-${moment.getDate()}`;
}

/** Today, yesterday, or the name of the day, with the year only when it is not the current one. */
export function dayName(at: string, now = new Date(zone.today)): string {
  const moment = new Date(at);
  const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const ago = Math.round((midnight(now).getTime() - midnight(moment).getTime()) / 86_400_000);
  if (ago === 0 || ago === 1) {
    const relative = kept(
      'relative',
      (tag) => new Intl.RelativeTimeFormat(tag, { numeric: 'auto' }),
    );
    return capital(relative.format(-ago, 'day'));
  }
  return moment.getFullYear() === now.getFullYear()
    ? written('weekday', moment, { weekday: 'long', day: 'numeric', month: 'long' })
    : written('dayOfYear', moment, { dateStyle: 'long' });
}

const capital = (text: string) => text.charAt(0).toLocaleUpperCase() + text.slice(1);
