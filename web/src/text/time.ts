// Owns how moments are written, in the reader's language and time zone. Must not know what happened at them.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const dayOfYear = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

export const timeOfDay = (at: string): string => clock.format(new Date(at));
export const fullTime = (at: string): string => whole.format(new Date(at));
export const dateAndTime = (at: string): string => date.format(new Date(at));

/** A key that is equal for two moments exactly when both are on the same day for the reader. */
export function dayKey(at: string): string {
  const moment = new Date(at);
  return `${moment.getFullYear()}-${moment.getMonth()}-${moment.getDate()}`;
}

/** Today, yesterday, or the name of the day, with the year only when it is not the current one. */
export function dayName(at: string, now = new Date()): string {
  const moment = new Date(at);
  const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const ago = Math.round((midnight(now).getTime() - midnight(moment).getTime()) / 86_400_000);
  if (ago === 0 || ago === 1) return capital(relative.format(-ago, 'day'));
  return (moment.getFullYear() === now.getFullYear() ? day : dayOfYear).format(moment);
}

const capital = (text: string) => text.charAt(0).toLocaleUpperCase() + text.slice(1);
