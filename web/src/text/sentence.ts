// Owns making a sentence of what the server says in a few words. Must not know what it is about.

/** A capital at the start and a full stop at the end, where there are none. */
export function sentence(text: string): string {
  const whole = text.trim();
  if (!whole) return '';
  const ended = /[.!?…]$/u.test(whole) ? whole : `${whole}.`;
  return ended.charAt(0).toLocaleUpperCase('en') + ended.slice(1);
}
