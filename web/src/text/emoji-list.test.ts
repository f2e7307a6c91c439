// The list of emoji as it is cut from emojibase-data: complete, with skin tones, and found by what people type.
import { expect, test } from 'vitest';
import { emojiLines } from '../../plugins/emoji';
import { isFewEmoji } from './emoji';
import { findEmoji, parseGroups, written } from './emoji-list';
import { withTone } from './tone';

const groups = parseGroups(await emojiLines('en'));
const find = (letters: string) => findEmoji(groups, letters).map(({ emoji }) => emoji);

test('nine groups hold all emoji, each with names', () => {
  const all = groups.flat();
  expect(groups).toHaveLength(9);
  expect(all.length).toBeGreaterThan(1_700);
  expect(new Set(all.map(({ emoji }) => emoji)).size).toBe(all.length);
  expect(all.filter(({ name, codes }) => !name || !codes.length)).toEqual([]);
});

test('each of them alone is shown in large', () =>
  expect(groups.flat().filter(({ emoji }) => !isFewEmoji(emoji))).toEqual([]));

test('people and hands take skin tones', () => {
  expect(groups.flat().filter(({ toned }) => toned).length).toBeGreaterThan(280);
  expect(withTone('👋', 0)).toBe('👋');
  expect(withTone('👋', 3)).toBe('👋🏽');
  expect(withTone('☝️', 5)).toBe('☝🏿');
  expect(withTone('👩‍🚀', 1)).toBe('👩🏻‍🚀');
  const [smile] = findEmoji(groups, 'smile');
  expect(written(smile!, 3)).toBe(smile!.emoji);
});

test('the short name comes first, then what begins with it, then other words', () => {
  expect(find('tada')[0]).toBe('🎉');
  expect(find('+1')[0]).toBe('👍');
  expect(find('smile')[0]).toBe('😄');
  expect(find('Party')).toContain('🎉');
  expect(find('rock')).toContain('🚀');
  expect(find('no such emoji')).toEqual([]);
});

test('the Chinese list is found by Chinese names, and by the short names', async () => {
  const chinese = parseGroups(await emojiLines('zh'));
  expect(findEmoji(chinese, '火箭')[0]?.emoji).toBe('🚀');
  expect(findEmoji(chinese, 'rocket')[0]?.emoji).toBe('🚀');
});
