// Owns turning the server's short texts into sentences. Must not know what they are about.

/** Adds a capital letter at the start and a full stop at the end if they are missing. */
export function sentence(text: string): string {
  const whole = text.trim();
  if (!whole) return '';
  const ended = /[.!?…]$/u.test(whole) ? whole : `${whole}.`;
  return ended.charAt(0).toLocaleUpperCase('en') + ended.slice(1);
}
