// The order of rooms by when they were last opened.
import { expect, test } from 'vitest';
import { Recent } from './recent';

test('the room that was opened last comes first, and the order outlives the page', () => {
  let kept: string[] = [];
  const store = { load: () => kept, save: (rooms: string[]) => void (kept = rooms) };
  const recent = new Recent(store);
  for (const room of ['a', 'b', 'c', 'a']) recent.opened(room);
  const order = ['d', 'b', 'c', 'a'].sort((one, two) => recent.rank(one) - recent.rank(two));
  expect(order).toEqual(['a', 'c', 'b', 'd']);
  expect(new Recent(store).rank('a')).toBe(0);
  for (let n = 0; n < 100; n++) recent.opened(`r${n}`);
  expect(kept).toHaveLength(50);
});
