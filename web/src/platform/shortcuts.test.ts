// Which keys mean something, where, and to whom.
import { expect, test } from 'vitest';
import { shortcut, type Press } from './shortcuts';

const press = (text: string): Press => {
  const parts = text.split('+');
  return {
    key: parts.at(-1)!,
    altKey: parts.includes('Alt'),
    ctrlKey: parts.includes('Ctrl'),
    metaKey: parts.includes('Meta'),
    shiftKey: parts.includes('Shift'),
    isComposing: false,
    defaultPrevented: false,
  };
};

test.each([
  ['Ctrl+k', 'switch', 'switch'],
  ['Meta+K', 'switch', 'switch'],
  ['Ctrl+Alt+k', null, null],
  ['Alt+ArrowUp', 'above', 'above'],
  ['Alt+ArrowDown', 'below', 'below'],
  ['Shift+Alt+ArrowUp', 'unread-above', 'unread-above'],
  ['Shift+Alt+ArrowDown', 'unread-below', 'unread-below'],
  ['ArrowUp', null, null],
  ['Escape', 'escape', 'escape'],
  ['/', 'directory', null],
  ['Shift+?', 'list', null],
  ['Ctrl+/', null, null],
  ['k', null, null],
])('%s means %s, and %s in a text box', (keys, outside, inside) => {
  expect(shortcut(press(keys), false, true)).toBe(outside);
  expect(shortcut(press(keys), true, true)).toBe(inside);
});

test('keys of one character can be switched off, and the others stay', () => {
  expect(shortcut(press('/'), false, false)).toBe(null);
  expect(shortcut(press('Shift+?'), false, false)).toBe(null);
  expect(shortcut(press('Ctrl+k'), false, false)).toBe('switch');
});

test('keys of a composition, and keys that something else has taken, mean nothing', () => {
  expect(shortcut({ ...press('Escape'), isComposing: true }, true, true)).toBe(null);
  expect(shortcut({ ...press('Escape'), defaultPrevented: true }, true, true)).toBe(null);
});
