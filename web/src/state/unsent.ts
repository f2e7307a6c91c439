// Owns what an unsent message is, and how it is written down for other tabs and later visits. Must not know where it is
// kept nor how it is sent.
import { Problem } from '../api/problem';

export interface Unsent {
  clientId: string;
  room: string;
  body: string;
  /** queued: not tried. waiting: tried without success, is or will be tried again. failed: refused. sent: on its way back. */
  state: 'queued' | 'sending' | 'waiting' | 'failed' | 'sent';
  at: string;
  /** Messages go out in this order, whichever tab they were written in. */
  order: number;
  why?: Problem;
  /** The seq the server gave, once it answered. */
  seq?: number;
}

/** Where unsent messages are kept; all tabs of the person see the same ones. */
export interface UnsentStore {
  load(): Unsent[];
  keep(entry: Unsent): void;
  remove(clientId: string): void;
  /** Runs `heard` when another tab has kept a message, or (null) removed one. */
  watch(heard: (clientId: string, entry: Unsent | null) => void): () => void;
}

const states = ['queued', 'sending', 'waiting', 'failed', 'sent'];

/** The message in a stored text, or null when the text is none. */
export function parseUnsent(text: string | null): Unsent | null {
  try {
    const entry = JSON.parse(text ?? '') as Unsent;
    const { clientId, room, body, state, at, order, seq, why } = entry;
    const texts = [clientId, room, body, at].every((value) => typeof value === 'string');
    if (!texts || !states.includes(state) || typeof order !== 'number') return null;
    return {
      ...{ clientId, room, body, state, at, order },
      ...(typeof seq === 'number' && { seq }),
      ...(why && { why: Problem.restore(why) }),
    };
  } catch {
    return null;
  }
}

/** True while the message still has to go out. */
export const isDue = ({ state }: Unsent): boolean => state !== 'failed' && state !== 'sent';
