// Owns what the client does to a password before sending it, and what it can say about one while it is typed. The
// server's rules decide. Must not keep a password.

export const shortest = 12;
export const longest = 128;

/** The same password typed on two keyboards must be the same text: the server compares exactly. */
export const normalise = (password: string): string => password.normalize('NFC');

export function passwordFault(password: string): 'short' | 'long' | null {
  const length = Array.from(normalise(password)).length;
  return length < shortest ? 'short' : length > longest ? 'long' : null;
}
