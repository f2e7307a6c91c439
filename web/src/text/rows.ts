// Owns how messages are grouped: by day, and by one author within five minutes. Must not know how they look.
import type { Message } from '../api/types';
import { dayKey } from './time';

export interface Row {
  message: Message;
  /** The first message of its day. */
  day: boolean;
  /** The first message of a run, which shows its author. */
  head: boolean;
  /** The first message that was unread when the room was opened. */
  fresh: boolean;
}

const together = 5 * 60_000;

export function toRows(messages: Message[], divider: number | null): Row[] {
  return messages.map((message, index) => {
    const before = messages[index - 1];
    const day = !before || dayKey(before.created_at) !== dayKey(message.created_at);
    const fresh = divider !== null && message.seq > divider && !(before && before.seq > divider);
    const head = day || fresh || before!.author.id !== message.author.id || later(before!, message);
    return { message, day, head, fresh };
  });
}

function later(before: Message, message: Message): boolean {
  return Date.parse(message.created_at) - Date.parse(before.created_at) > together;
}
