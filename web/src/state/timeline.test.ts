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
    const limit = at.limit ?? 50;
    if (at.before) [from, to] = [Math.max(0, cut(at.before) - 1 - limit), cut(at.before) - 1];
    if (at.around) {
      const middle = this.messages.findIndex((message) => message.id === at.around);
      [from, to] = [Math.max(0, middle - 25), Math.min(length, middle + 25)];
    }
    if (at.after) [from, to] = [cut(at.after), Math.min(length, cut(at.after) + 50)];
    const items = this.messages.slice(from, to);
    const page: MessagePage = { items, referenced: [], cursor: `c${length}`, last_seq: length };
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

/** Events are shown at once here; the client shows those of one turn together. */
function timelineOf(room: Room, me = 'me'): Timeline {
  const timeline = new Timeline(room.fetch, me);
  const apply = timeline.apply.bind(timeline);
  timeline.apply = (event) => {
    const verdict = apply(event);
    timeline.show();
    return verdict;
  };
  return timeline;
}

const seqs = (timeline: Timeline) => timeline.rows.map((row) => row.seq);
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe('the timeline', () => {
  test('opens at the newest page and grows to the start', async () => {
    const room = roomOf(120);
    const timeline = timelineOf(room);
    await timeline.open();
    expect(seqs(timeline)).toEqual(range(71, 120));
    expect(timeline.atStart).toBe(false);
    await timeline.older();
    await timeline.older();
    expect(seqs(timeline)).toEqual(range(1, 120));
    expect(timeline.atStart).toBe(true);
  });

  test('who follows keeps the newest rows, as many as the screen needs; who reads further up keeps what is there', async () => {
    const room = roomOf(290);
    const timeline = timelineOf(room);
    await timeline.open();
    for (let n = 0; n < 4; n++) await timeline.older();
    expect(seqs(timeline)).toEqual(range(41, 290));
    timeline.following = false;
    timeline.apply(room.post());
    expect(seqs(timeline)).toEqual(range(41, 291));
    timeline.following = true;
    timeline.needed = 120;
    timeline.apply(room.post());
    expect(seqs(timeline)).toEqual(range(141, 292));
    // Nothing appears at its first row: it looks as it did below the one that is gone.
    const { day, head } = timeline.rows[0]!;
    expect({ day, head }).toEqual({ day: false, head: false });
    timeline.needed = 0;
    timeline.apply(room.post());
    expect(seqs(timeline)).toEqual(range(191, 293));
    await timeline.older();
    expect(seqs(timeline)).toEqual(range(141, 293));
  });

  test('an event that is in the snapshot already is not shown twice', async () => {
    const room = roomOf(3);
    const timeline = timelineOf(room);
    const late = room.post();
    await timeline.open();
    timeline.apply(late);
    expect(seqs(timeline)).toEqual([1, 2, 3, 4]);
  });

  test('events that come while the snapshot is fetched are added after it', async () => {
    const room = roomOf(3);
    let answerNow = () => {};
    room.gate = new Promise((resolve) => (answerNow = resolve));
    const timeline = timelineOf(room);
    const opening = timeline.open();
    timeline.apply(room.post());
    timeline.apply(room.post());
    answerNow();
    await opening;
    expect(seqs(timeline)).toEqual([1, 2, 3, 4, 5]);
  });

  test('a missing event is noticed', async () => {
    const room = roomOf(3);
    const timeline = timelineOf(room);
    await timeline.open();
    room.post();
    expect(timeline.apply(room.post())).toBe('gap');
  });

  test('a repeated event changes nothing', async () => {
    const room = roomOf(1);
    const timeline = timelineOf(room);
    await timeline.open();
    const event = room.post();
    timeline.apply(event);
    expect(timeline.apply(event)).toBe('fine');
    expect(seqs(timeline)).toEqual([1, 2]);
  });

  test('keeps about 300 rows, and what was dropped can be read again on the way back', async () => {
    const room = roomOf(1000);
    const timeline = timelineOf(room);
    await timeline.open();
    timeline.following = false;
    while (!timeline.atStart) {
      await timeline.older();
      expect(timeline.rows.length).toBeLessThanOrEqual(300);
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
    const timeline = timelineOf(room);
    await timeline.open();
    for (let n = 0; n < 700; n++) timeline.apply(room.post());
    expect(timeline.rows.length).toBeLessThanOrEqual(350);
    expect(timeline.atStart).toBe(false);
    timeline.following = false;
    while (!timeline.atStart) await timeline.older();
    expect(seqs(timeline)[0]).toBe(1);
    while (!timeline.atEnd) await timeline.newer();
    expect(seqs(timeline).at(-1)).toBe(710);
  });

  test('an edit replaces the message, also while a page is fetched', async () => {
    const room = roomOf(60);
    const timeline = timelineOf(room);
    await timeline.open();
    const growing = timeline.older();
    const message = { ...room.messages[0]!, body: 'other', edited_at: '2026-01-02T00:00:00Z' };
    timeline.apply({ type: 'message.edited', room: 'r', seq: 61, cursor: 'c61', message });
    await growing;
    expect(timeline.rows[0]!.message.body).toBe('other');
  });

  test('an answer for an earlier opening is dropped', async () => {
    const room = roomOf(2);
    let answerNow = () => {};
    room.gate = new Promise((resolve) => (answerNow = resolve));
    const timeline = timelineOf(room);
    const first = timeline.open();
    room.gate = null;
    room.post();
    await timeline.open();
    answerNow();
    await first;
    expect(seqs(timeline)).toEqual([1, 2, 3]);
  });

  test('an edit changes its row in place, and a new message leaves all other rows as they are', async () => {
    const room = roomOf(10);
    const timeline = timelineOf(room);
    await timeline.open();
    const before = timeline.rows;
    const message = { ...room.messages[4]!, body: 'other', edited_at: '2026-01-02T00:00:00Z' };
    timeline.apply({ type: 'message.edited', room: 'r', seq: 11, cursor: 'c11', message });
    expect(timeline.rows).toBe(before);
    expect(before[4]!.message.body).toBe('other');
    const next = room.post();
    timeline.apply({ ...next, seq: 12, message: { ...next.message!, seq: 12 } });
    expect(timeline.rows.slice(0, 10)).toEqual(before);
    expect(timeline.rows[3]).toBe(before[3]);
  });

  test('events of one turn are shown together', async () => {
    const room = roomOf(3);
    const timeline = new Timeline(room.fetch, 'me');
    await timeline.open();
    const before = timeline.rows;
    for (let n = 0; n < 5; n++) timeline.apply(room.post());
    expect(timeline.rows).toBe(before);
    timeline.show();
    expect(seqs(timeline)).toEqual(range(1, 8));
  });

  test('after a gap the reader further up keeps the place; what came is counted if it is known', async () => {
    const room = roomOf(120);
    const timeline = timelineOf(room);
    await timeline.open();
    timeline.following = false;
    const place = timeline.rows.find((row) => row.seq === 90)!;
    for (let n = 0; n < 600; n++) room.post();
    await timeline.open(place.id);
    expect(timeline.find('m90')).toBe(place);
    expect(timeline.atEnd).toBe(false);
    expect(timeline.unseenMore).toBe(true);
    while (!timeline.atEnd) await timeline.newer();
    expect(seqs(timeline).at(-1)).toBe(720);

    const late = timeline.rows.at(-5)!;
    for (let n = 0; n < 3; n++) room.post();
    timeline.seen();
    await timeline.open(late.id);
    expect(timeline.atEnd).toBe(true);
    expect(timeline.unseen).toBe(3);
    await timeline.open();
    expect(timeline.unseen).toBe(0);
  });

  test('the first opening reaches back to the divider, if that is not too far', async () => {
    for (const [divider, first] of [
      [190, 151],
      [60, 1],
      [0, 151],
    ] as const) {
      const room = roomOf(divider ? 200 : 600);
      const timeline = timelineOf(room);
      timeline.divide(divider || 10);
      await timeline.open();
      const fresh = timeline.rows.filter((row) => row.fresh).map((row) => row.seq);
      expect(fresh).toEqual(divider ? [divider + 1] : []);
      if (divider) expect(seqs(timeline)[0]).toBe(first);
      else expect(seqs(timeline)).toEqual(range(551, 600));
    }
  });

  test('the divider stands below the last own message, and is gone when nothing of others is unread', async () => {
    const room = roomOf(10);
    room.messages[6]!.author = { ...author, id: 'me' };
    for (const [mine, fresh] of [
      ['me', [8]],
      ['u1', []],
    ] as const) {
      const timeline = timelineOf(room, mine);
      timeline.divide(4);
      await timeline.open();
      expect(timeline.rows.filter((row) => row.fresh).map((row) => row.seq)).toEqual(fresh);
    }
  });

  test('the start of a long room is reached without keeping what lies between', async () => {
    const room = roomOf(1000);
    const timeline = timelineOf(room);
    await timeline.open();
    await timeline.toStart();
    expect(timeline.atStart).toBe(true);
    expect(seqs(timeline)[0]).toBe(1);
    expect(timeline.rows.length).toBeLessThanOrEqual(300);
    expect(timeline.atEnd).toBe(false);
    while (!timeline.atEnd) await timeline.newer();
    expect(seqs(timeline).at(-1)).toBe(1000);
    expect(new Set(seqs(timeline)).size).toBe(timeline.rows.length);
  });

  test('the start is reached also while another page is being loaded', async () => {
    const timeline = timelineOf(roomOf(200));
    await timeline.open();
    await Promise.all([timeline.older(), timeline.toStart()]);
    expect(timeline.atStart).toBe(true);
    expect(seqs(timeline)[0]).toBe(1);
  });
});
