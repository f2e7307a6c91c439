// Owns when the text before the caret asks for a completion, and of what. Must not know what can be completed.
import { inFence } from './edit';

export type Kind = 'emoji' | 'person' | 'room';

export interface Trigger {
  kind: Kind;
  /** What was typed behind the sign. */
  letters: string;
  /** Where the sign stands. */
  from: number;
}

// A sign within a word, a time or an address asks for nothing.
const sign = /(?:^|[^\w:./@#])(?:(:)([a-z0-9_+-]{2,30})|([@#])([\p{L}\p{N}_-]{0,32}))$/iu;

/** Null when nothing is asked for, as in code. */
export function triggerAt(text: string, caret: number): Trigger | null {
  const line = text.slice(text.lastIndexOf('\n', caret - 1) + 1, caret);
  const found = sign.exec(line);
  if (!found || inFence(text, caret) || (line.match(/`/g)?.length ?? 0) % 2) return null;
  const [, , emoji, other, name = ''] = found;
  const letters = emoji ?? name;
  const kind = emoji !== undefined ? 'emoji' : other === '@' ? 'person' : 'room';
  return { kind, letters, from: caret - letters.length - 1 };
}
