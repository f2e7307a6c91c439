// Owns the text of the composer and its text box: what is selected, and edits that the browser's undo can take back.
// Must not know what the text is for.
import type { Edit, Selected } from '../../text/edit';

export class TextBox {
  text = $state('');
  #box: HTMLTextAreaElement | null = null;

  constructor(text: string) {
    this.text = text;
  }

  attach = (box: HTMLTextAreaElement): (() => void) => {
    this.#box = box;
    return () => (this.#box = null);
  };

  get selected(): Selected {
    const { selectionStart = 0, selectionEnd = 0 } = this.#box ?? {};
    return { text: this.text, start: selectionStart, end: selectionEnd };
  }

  focus(): void {
    this.#box?.focus();
  }

  edit({ from, to, insert, start, end }: Edit): void {
    const box = this.#box;
    if (!box) return;
    box.focus();
    box.setSelectionRange(from, to);
    // The browser's own command keeps its undo; it tells the page by the event that typing gives.
    const done =
      from === to && !insert
        ? true
        : document.execCommand(insert ? 'insertText' : 'delete', false, insert);
    if (!done) {
      box.setRangeText(insert, from, to, 'end');
      box.dispatchEvent(new Event('input', { bubbles: true }));
    }
    box.setSelectionRange(start, end);
  }

  /** Puts a text where the caret is, instead of what is selected. */
  insert(text: string): void {
    const { start, end } = this.selected;
    const caret = start + text.length;
    this.edit({ from: start, to: end, insert: text, start: caret, end: caret });
  }
}
