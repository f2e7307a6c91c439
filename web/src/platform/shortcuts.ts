// Owns which keys mean what everywhere on the page. Must not know what happens then.

export type Shortcut =
  'switch' | 'above' | 'below' | 'unread-above' | 'unread-below' | 'directory' | 'list' | 'escape';

/** What is needed of a keyboard event. */
export interface Press {
  key: string;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  isComposing: boolean;
  defaultPrevented: boolean;
}

/**
 * What a key means, if anything. Keys of one character mean nothing in a text box, nor where the reader has switched them
 * off (WCAG 2.1.4); keys of a composition belong to the input method.
 */
export function shortcut(press: Press, typing: boolean, characters: boolean): Shortcut | null {
  const { key, altKey, shiftKey } = press;
  if (press.isComposing || press.defaultPrevented) return null;
  const control = press.ctrlKey || press.metaKey;
  if (control) return !altKey && key.toLowerCase() === 'k' ? 'switch' : null;
  if (altKey) {
    if (key === 'ArrowUp') return shiftKey ? 'unread-above' : 'above';
    if (key === 'ArrowDown') return shiftKey ? 'unread-below' : 'below';
    return null;
  }
  if (key === 'Escape') return 'escape';
  if (typing || !characters) return null;
  return key === '/' ? 'directory' : key === '?' ? 'list' : null;
}

/** Whether a key is pressed together with one that gives it another meaning. */
export const isWithOthers = ({ altKey, ctrlKey, metaKey, shiftKey }: KeyboardEvent): boolean =>
  altKey || ctrlKey || metaKey || shiftKey;

/** Whether what is typed there becomes text. */
export const isTextBox = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target.matches('textarea, select, input:not([type="radio"], [type="checkbox"])'));

/** The names of the modifier keys on this machine's keyboard. */
export const modifiers = (): { control: string; alt: string } =>
  /Mac|iP/.test(navigator.platform) ? { control: '⌘', alt: '⌥' } : { control: 'Ctrl', alt: 'Alt' };
