// Owns how messages are grouped: by day, and by one author within five minutes. Must not know how they look.
import { dayKey } from './time';

/** What grouping needs of a message; one that is not sent has no seq yet. */
export interface Said {
  seq?: number;
  author: { id: string };
  created_at: string;
}

export interface Place {
  /** The first message of its day. */
  day: boolean;
  /** The first message of a run, which shows its author. */
  head: boolean;
  /** The first message that was unread when the room was opened. */
  fresh: boolean;
}

const together = 5 * 60_000;

/**
 * Where a message stands below the one before it. Messages above seq `divider` are unread. `first`: there is no message
 * before it in the room; without it an absent `before` means one that is not loaded.
 */
export function placeOf(
  before: Said | undefined,
  said: Said,
  divider: number | null,
  first: boolean,
): Place {
  const day = !before || dayKey(before.created_at) !== dayKey(said.created_at);
  const fresh = divider !== null && begins(before?.seq, said.seq, divider, first);
  const head = day || fresh || before!.author.id !== said.author.id || later(before!, said);
  return { day, head, fresh };
}

/** Where messages that are not sent yet stand below the last one, each under the one before. */
export function placesOf(last: Said | undefined, unsent: Said[]): Place[] {
  return unsent.map((said, at) => placeOf(at ? unsent[at - 1] : last, said, null, false));
}

/** While it is not known what stands before, the line waits: it must not move once it is shown. */
function begins(before: number | undefined, seq = 0, divider: number, first: boolean): boolean {
  if (seq <= divider) return false;
  return before === undefined ? first || seq === divider + 1 : before <= divider;
}

function later(before: Said, said: Said): boolean {
  return Date.parse(said.created_at) - Date.parse(before.created_at) > together;
}
