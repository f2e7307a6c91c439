// Owns what the client does to a password before sending it, and what it can say about one while it is typed. The
// server's rules decide. Must not keep a password.

/** How long a password may be, in code points, as the server says it. */
export interface PasswordLimits {
  min_password: number;
  max_password: number;
}

/** The same password typed on two keyboards must give the same text, so it is normalised to NFC. */
export const normalise = (password: string): string => password.normalize('NFC');

export const passwordLength = (password: string): number => Array.from(normalise(password)).length;

/** Without limits nothing is checked here; the server decides. */
export function passwordFault(
  password: string,
  limits: PasswordLimits | undefined,
): 'short' | 'long' | null {
  if (!limits) return null;
  const length = passwordLength(password);
  return length < limits.min_password ? 'short' : length > limits.max_password ? 'long' : null;
}
