// Text rules: how rows are grouped, names shortened and found, passwords counted.
import { expect, test } from 'vitest';
import type { Message } from '../api/types';
import { messagePath, parsePath } from '../state/route.svelte';
import { deviceName } from './device';
import { initials, tone, tones } from './face';
import { handleBeside } from './handle';
import { matchScore } from './match';
import { normalise, passwordFault } from './password';
import { placeOf, placesOf, type Place } from './rows';
import { slug } from './slug';
import { sentence } from './sentence';
import { dayName } from './time';

function at(minutes: number, author: string): Message {
  const time = new Date(2026, 0, 1, 12, minutes).toISOString();
  const user = { id: author, username: author, display_name: author };
  return {
    id: `${minutes}`,
    room: 'r',
    seq: minutes + 1,
    author: user,
    body: '',
    created_at: time,
  };
}

function rowsOf(list: Message[], divider: number | null = null, first = true): Place[] {
  return list.map((message, index) => placeOf(list[index - 1], message, divider, first));
}

test('rows of one author stand together for five minutes, in one day, on one side of the divider', () => {
  const heads = (list: Message[]) =>
    rowsOf(list).map((row) => (row.day ? 'day' : row.head ? 'head' : ''));
  expect(heads([at(0, 'a'), at(3, 'a'), at(9, 'a'), at(10, 'b')])).toEqual([
    'day',
    '',
    'head',
    'head',
  ]);
  expect(heads([at(0, 'a'), at(24 * 60, 'a')])).toEqual(['day', 'day']);
  const rows = rowsOf([at(0, 'a'), at(1, 'a'), at(2, 'a')], 1);
  expect(rows.map((row) => row.fresh)).toEqual([false, true, false]);
  expect(rows.map((row) => row.head)).toEqual([true, true, false]);
});

test('the divider waits until it is known what stands before it', () => {
  const fresh = (divider: number, first: boolean) =>
    rowsOf([at(4, 'a'), at(5, 'a')], divider, first).map((row) => row.fresh);
  expect(fresh(2, false)).toEqual([false, false]);
  expect(fresh(2, true)).toEqual([true, false]);
  expect(fresh(4, false)).toEqual([true, false]);
  expect(fresh(5, false)).toEqual([false, true]);
});

test('an unsent message stands where it will stand when it is confirmed', () => {
  const last = at(0, 'a');
  const unsent = [at(1, 'b'), at(2, 'b'), at(24 * 60, 'b')];
  expect(placesOf(last, unsent)).toEqual(rowsOf([last, ...unsent]).slice(1));
});

test('days are named from the reader’s own midnight', () => {
  const now = new Date(2026, 5, 15, 0, 30);
  expect(dayName(new Date(2026, 5, 15, 0, 5).toISOString(), now)).toBe('Today');
  expect(dayName(new Date(2026, 5, 14, 23, 55).toISOString(), now)).toBe('Yesterday');
  expect(dayName(new Date(2025, 5, 15).toISOString(), now)).toContain('2025');
});

test('initials are what a reader sees as letters', () => {
  expect(initials('Ada Lovelace')).toBe('AL');
  expect(initials('ada')).toBe('A');
  expect(initials('back-office')).toBe('BO');
  expect(initials('👩‍👩‍👧‍👦 family')).toBe('👩‍👩‍👧‍👦F');
  expect(initials('李小龙')).toBe('李');
  expect(initials('   ')).toBe('');
});

test('a handle is shown beside another name only', () => {
  const named = (display_name: string) => handleBeside({ id: 'u', username: 'ada', display_name });
  expect(named('ada')).toBe('');
  expect(named('Ada')).toBe('@ada');
});

test('a few words of the server become a sentence, a sentence stays one', () => {
  expect(sentence('may contain only a-z, 0-9 and -')).toBe('May contain only a-z, 0-9 and -.');
  expect(sentence('The username is taken')).toBe('The username is taken.');
  expect(sentence('Is that so?')).toBe('Is that so?');
  expect(sentence('')).toBe('');
});

test('a colour is always the same, and all are used', () => {
  expect(tone('x')).toBe(tone('x'));
  const used = new Set(Array.from({ length: 200 }, (_, n) => tone(`id-${n}`)));
  expect(used.size).toBe(tones);
});

test('passwords are counted and sent as one form of the text', () => {
  expect(normalise('e\u0301')).toBe('é');
  const limits = { min_password: 9, max_password: 20 };
  expect(passwordFault('a'.repeat(8), limits)).toBe('short');
  expect(passwordFault('😀'.repeat(9), limits)).toBeNull();
  expect(passwordFault('😀'.repeat(20), limits)).toBeNull();
  expect(passwordFault('a'.repeat(21), limits)).toBe('long');
  expect(passwordFault('a', undefined)).toBeNull();
});

test('a few letters find a name, the closest first', () => {
  expect(matchScore('lby', 'lobby')).toBe(2);
  expect(matchScore('ybl', 'lobby')).toBeNull();
  expect(matchScore('lob', 'The Lobby')!).toBeGreaterThan(matchScore('lob', 'lobby')!);
  expect(matchScore('', 'x')).toBe(0);
});

test('addresses name pages', () => {
  expect(parsePath('/')).toEqual({ name: 'home' });
  expect(parsePath('/rooms')).toEqual({ name: 'directory' });
  expect(parsePath('/room/abc')).toEqual({ name: 'room', room: 'abc' });
  expect(parsePath('/room/a/b')).toEqual({ name: 'nowhere' });
  expect(parsePath('/room/a/message/b')).toEqual({ name: 'room', room: 'a', message: 'b' });
  expect(parsePath(messagePath('a', 'b'))).toEqual(parsePath('/room/a/message/b/'));
  expect(parsePath('/room/a/message/')).toEqual({ name: 'nowhere' });
  expect(parsePath('/settings')).toEqual({ name: 'settings' });
});

test('programs are named as people call them', () => {
  const chrome =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36';
  expect(deviceName(chrome, '?')).toBe('Chrome, Linux');
  expect(deviceName('curl/8.1', '?')).toBe('curl');
  expect(deviceName(undefined, '?')).toBe('?');
});

test.each([
  ['Engine Room', 'engine-room'],
  ['  Café & Straße №5 ', 'cafe-strasse-no5'],
  ['Ærø / Łódź', 'aero-lodz'],
  ['中文聊天室', ''],
  ['--', ''],
])('the name of %j is %j', (title, name) => {
  expect(slug(title, 64)).toBe(name);
});

test('a name is cut without a hyphen at its end', () => {
  expect(slug('seven letters', 6)).toBe('seven');
});
