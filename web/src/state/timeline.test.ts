// The timeline against a room kept as a list: a fetch and the events must give the same result in any order.
import { describe, expect, test } from 'vitest';
import type { PageAt } from '../api/calls';
import type { LogEvent, Message, MessagePage } from '../api/types';
import { Timeline } from './timeline.svelte';

const author = { id: 'u1', username: 'ada', display_name: 'Ada' };

/** A room whose seqs are 1, 2, 3 ... and whose cursors are `c` and the seq. */
class Room {
  messages: Message[] = [];
  requests: PageAt[] = [];
  /** Set this to delay answers. They show the room as it was when the request came. */
  gate: Promise<void> | null = null;

  post(): LogEvent {
    const seq = this.messages.length + 1;
    const at = '2026-01-01T00:00:00Z';
    const message = { id: `m${seq}`, room: 'r', seq, author, body: `b${seq}`, created_at: at };
    this.messages.push(message);
    return { type: 'message.posted', room: 'r', seq, cursor: `c${seq}`, message };
  }

  fetch = async (at: PageAt = {}): Promise<MessagePage> => {
    this.requests.push(at);
    const { length } = this.messages;
    const cut = (cursor: string) => Number(cursor.slice(1));
    let [from, to] = [Math.max(0, length - 50), length];
    if (at.before) [from, to] = [Math.max(0, cut(at.before) - 51), cut(at.before) - 1];
    if (at.after) [from, to] = [cut(at.after), Math.min(length, cut(at.after) + 50)];
    const items = this.messages.slice(from, to);
    const page: MessagePage = { items, cursor: `c${length}`, last_seq: length };
    if (from > 0) page.prev_cursor = `c${from + 1}`;
    if (to < length) page.next_cursor = `c${to}`;
    await this.gate;
    return page;
  };
}

function roomOf(count: number): Room {
  const room = new Room();
  for (let n = 0; n < count; n++) room.post();
  return room;
}

const seqs = (timeline: Timeline) => timeline.messages.map((message) => message.seq);
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe('the timeline', () => {
  test('opens at the newest page and grows to the start', async () => {
    const room = roomOf(120);
    const timeline = new Timeline(room.fetch);
    await timeline.open();
    expect(seqs(timeline)).toEqual(range(71, 120));
    expect(timeline.atStart).toBe(false);
    await timeline.older();
    await timeline.older();
    expect(seqs(timeline)).toEqual(range(1, 120));
    expect(timeline.atStart).toBe(true);
  });

  test('an event that is in the snapshot already is not shown twice', async () => {
    const room = roomOf(3);
    const timeline = new Timeline(room.fetch);
    const late = room.post();
    await timeline.open();
    timeline.apply(late);
    expect(seqs(timeline)).toEqual([1, 2, 3, 4]);
  });

  test('events that come while the snapshot is fetched are added after it', async () => {
    const room = roomOf(3);
    let answerNow = () => {};
    room.gate = new Promise((resolve) => (answerNow = resolve));
    const timeline = new Timeline(room.fetch);
    const opening = timeline.open();
    timeline.apply(room.post());
    timeline.apply(room.post());
    answerNow();
    await opening;
    expect(seqs(timeline)).toEqual([1, 2, 3, 4, 5]);
  });

  test('a missing event is noticed', async () => {
    const room = roomOf(3);
    const timeline = new Timeline(room.fetch);
    await timeline.open();
    room.post();
    expect(timeline.apply(room.post())).toBe('gap');
  });

  test('a repeated event changes nothing', async () => {
    const room = roomOf(1);
    const timeline = new Timeline(room.fetch);
    await timeline.open();
    const event = room.post();
    timeline.apply(event);
    expect(timeline.apply(event)).toBe('fine');
    expect(seqs(timeline)).toEqual([1, 2]);
  });

  test('keeps about 300 rows, and what was dropped can be read again on the way back', async () => {
    const room = roomOf(1000);
    const timeline = new Timeline(room.fetch);
    await timeline.open();
    timeline.following = false;
    while (!timeline.atStart) {
      await timeline.older();
      expect(timeline.messages.length).toBeLessThanOrEqual(300);
    }
    expect(timeline.atEnd).toBe(false);
    timeline.apply(room.post());
    expect(timeline.unseen).toBe(1);
    while (!timeline.atEnd) {
      const before = seqs(timeline).at(-1)!;
      await timeline.newer();
      expect(seqs(timeline)).toEqual(range(seqs(timeline)[0]!, seqs(timeline).at(-1)!));
      expect(seqs(timeline).at(-1)!).toBeGreaterThan(before);
    }
    expect(seqs(timeline).at(-1)).toBe(1001);
    timeline.apply(room.post());
    expect(seqs(timeline).at(-1)).toBe(1002);
  });

  test('a busy room sheds its oldest rows, and they come back without a hole', async () => {
    const room = roomOf(10);
    const timeline = new Timeline(room.fetch);
    await timeline.open();
    for (let n = 0; n < 700; n++) timeline.apply(room.post());
    expect(timeline.messages.length).toBeLessThanOrEqual(350);
    expect(timeline.atStart).toBe(false);
    timeline.following = false;
    while (!timeline.atStart) await timeline.older();
    expect(seqs(timeline)[0]).toBe(1);
    while (!timeline.atEnd) await timeline.newer();
    expect(seqs(timeline).at(-1)).toBe(710);
  });

  test('an edit replaces the message, also while a page is fetched', async () => {
    const room = roomOf(60);
    const timeline = new Timeline(room.fetch);
    await timeline.open();
    const growing = timeline.older();
    const message = { ...room.messages[0]!, body: 'other', edited_at: '2026-01-02T00:00:00Z' };
    timeline.apply({ type: 'message.edited', room: 'r', seq: 61, cursor: 'c61', message });
    await growing;
    expect(timeline.messages[0]!.body).toBe('other');
  });

  test('an answer for an earlier opening is dropped', async () => {
    const room = roomOf(2);
    let answerNow = () => {};
    room.gate = new Promise((resolve) => (answerNow = resolve));
    const timeline = new Timeline(room.fetch);
    const first = timeline.open();
    room.gate = null;
    room.post();
    await timeline.open();
    answerNow();
    await first;
    expect(seqs(timeline)).toEqual([1, 2, 3]);
  });
});
