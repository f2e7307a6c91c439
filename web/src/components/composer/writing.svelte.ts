// Owns what keys, tools and pastes do while a message is written. Must not know the page, nor what becomes of a message.
import { goOn, pasteLink, use, type Tool } from '../../text/edit';
import { Completion, type Choice, type Source } from './completion.svelte';
import { TextBox } from './text-box.svelte';

/** Code points, as the server counts. */
export const longest = 4000;

/** What a key event says, as far as it matters here. */
export type Key = Pick<
  KeyboardEvent,
  'key' | 'keyCode' | 'isComposing' | 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey'
>;

export class Writing {
  readonly box: TextBox;
  readonly completion: Completion;
  /** On touch screens Enter must start a new line: there is no Shift+Enter, and the send button is near. */
  #enterSends: boolean;
  #onsend: (text: string) => void;

  readonly length = $derived.by(() => Array.from(this.box.text).length);
  readonly sendable = $derived.by(() => this.box.text.trim() !== '' && this.length <= longest);

  constructor(text: string, source: Source, enterSends: boolean, onsend: (text: string) => void) {
    this.box = new TextBox(text);
    this.completion = new Completion(source);
    this.#enterSends = enterSends;
    this.#onsend = onsend;
  }

  send(): void {
    if (!this.sendable) return;
    this.#onsend(this.box.text.replace(/\s+$/, ''));
    this.box.text = '';
    this.completion.close();
    this.box.focus();
  }

  use(tool: Tool): void {
    this.box.edit(use(tool, this.box.selected));
  }

  choose(choice: Choice | undefined): void {
    const edit = this.completion.choose(choice, this.box.selected);
    if (edit) this.box.edit(edit);
  }

  /** The text or the caret has changed. */
  look(): void {
    void this.completion.look(this.box.selected);
  }

  /** True when it was an address over a selection, which is a link now. */
  paste(text: string): boolean {
    const edit = pasteLink(this.box.selected, text);
    if (edit) this.box.edit(edit);
    return !!edit;
  }

  /** True when the key has done something, so that the browser shall not. */
  press(event: Key): boolean {
    // 229: Safari ends a composition before it reports the Enter that confirmed it.
    if (event.isComposing || event.keyCode === 229 || event.altKey) return false;
    const command = event.ctrlKey || event.metaKey;
    if (!command && !event.shiftKey && this.completion.open && this.#pick(event.key)) return true;
    if (event.shiftKey) return false;
    if (event.key === 'Enter') return this.#enter(command);
    const tool = command && this.#tool(event.key.toLowerCase());
    if (tool) this.use(tool);
    return !!tool;
  }

  #enter(command: boolean): boolean {
    const edit = command ? null : goOn(this.box.selected);
    if (edit) this.box.edit(edit);
    else if (command || this.#enterSends) this.send();
    else return false;
    return true;
  }

  #pick(key: string): boolean {
    const list = this.completion;
    if (key === 'ArrowDown') list.move(1);
    else if (key === 'ArrowUp') list.move(-1);
    else if (key === 'Enter' || key === 'Tab') this.choose(list.choices[list.at]);
    else if (key === 'Escape') list.dismiss();
    else return false;
    return true;
  }

  /** Ctrl+K goes to another room unless there is a selection to make a link of. */
  #tool(key: string): Tool | undefined {
    if (key === 'b') return 'bold';
    if (key === 'i') return 'italic';
    const { start, end } = this.box.selected;
    return key === 'k' && start !== end ? 'link' : undefined;
  }
}
