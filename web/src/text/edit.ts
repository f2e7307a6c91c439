// Owns what the keys and buttons of the composer do to the text: marks around a selection, lists that go on, links. Must
// not know the text box.
import { wholeAddress } from './address';

/** A text and what is selected in it; `start` equals `end` for a caret. */
export interface Selected {
  text: string;
  start: number;
  end: number;
}

/** Replaces what stands from `from` to `to`, and selects from `start` to `end` of the new text. */
export interface Edit {
  from: number;
  to: number;
  insert: string;
  start: number;
  end: number;
}

export type Tool = 'bold' | 'italic' | 'strike' | 'code' | 'link' | 'quote' | 'list' | 'fence';

const marks = { bold: '**', italic: '*', strike: '~~', code: '`' } as const;

export function use(tool: Tool, selected: Selected): Edit {
  switch (tool) {
    case 'link':
      return link(selected);
    case 'quote':
      return prefix(selected, '> ');
    case 'list':
      return prefix(selected, '- ');
    case 'fence':
      return fence(selected);
    default:
      return wrap(selected, marks[tool]);
  }
}

/** Puts a mark around what is selected, or takes it away if it is there. */
function wrap({ text, start, end }: Selected, mark: string): Edit {
  // A mark beside a space would mean nothing.
  while (start < end && /\s/.test(text[start]!)) start++;
  while (end > start && /\s/.test(text[end - 1]!)) end--;
  const inside = text.slice(start, end);
  const size = mark.length;
  if (marked(text, start, end, mark)) {
    const from = start - size;
    return { from, to: end + size, insert: inside, start: from, end: from + inside.length };
  }
  return {
    from: start,
    to: end,
    insert: mark + inside + mark,
    start: start + size,
    end: end + size,
  };
}

/** One star beside another belongs to bold, so it is no mark of its own. */
function marked(text: string, start: number, end: number, mark: string): boolean {
  const run = (from: number, step: 1 | -1) => {
    let length = 0;
    while (text[from + length * step] === mark[0]) length++;
    return length;
  };
  const around = Math.min(run(start - 1, -1), run(end, 1));
  return mark === '*' ? around % 2 === 1 : around >= mark.length;
}

function link({ text, start, end }: Selected): Edit {
  const inside = text.slice(start, end);
  const address = wholeAddress(inside);
  const insert = address ? `[](${inside})` : `[${inside}]()`;
  const caret = start + (address || !inside ? 1 : inside.length + 3);
  return { from: start, to: end, insert, start: caret, end: caret };
}

/** Puts a prefix before each selected line, or takes it away if all have it. */
function prefix({ text, start, end }: Selected, mark: string): Edit {
  const from = text.lastIndexOf('\n', start - 1) + 1;
  const next = text.indexOf('\n', Math.max(end - 1, start));
  const to = next < 0 ? text.length : next;
  const lines = text.slice(from, to).split('\n');
  const off = lines.every((line) => line.startsWith(mark));
  const insert = lines.map((line) => (off ? line.slice(mark.length) : mark + line)).join('\n');
  const caret = from + insert.length;
  return { from, to, insert, start: start === end ? caret : from, end: caret };
}

function fence({ text, start, end }: Selected): Edit {
  const inside = text.slice(start, end).replace(/\n$/, '');
  const before = start === 0 || text[start - 1] === '\n' ? '' : '\n';
  const after = end >= text.length || text[end] === '\n' ? '' : '\n';
  const insert = `${before}\`\`\`\n${inside}\n\`\`\`${after}`;
  const at = start + before.length + 4;
  return { from: start, to: end, insert, start: at, end: at + inside.length };
}

const item = /^([ \t]*)(?:([-*+])|(\d{1,9})([.)]))([ \t]+)(\[[ xX]\][ \t]+)?/;

/**
 * What Enter does where a list or a fence goes on: the next item, a line with the same indent, or, on an empty item, the
 * end of the list. Null where Enter means what it means elsewhere.
 */
export function goOn({ text, start, end }: Selected): Edit | null {
  if (start !== end) return null;
  const from = text.lastIndexOf('\n', start - 1) + 1;
  const line = text.slice(from, start);
  // The line that opens a fence goes on as well; the one that closes it does not.
  const upTo = `${text.slice(0, start)}\n`;
  if (inFence(upTo, upTo.length)) return insertAt(start, `\n${/^[ \t]*/.exec(line)![0]}`);
  const found = item.exec(line);
  if (!found) return null;
  const [lead, indent = '', bullet, count, dot = '', space = '', task] = found;
  const restOfLine = text.slice(start).split('\n', 1)[0]!;
  if (!line.slice(lead.length).trim() && !restOfLine.trim()) {
    return { from, to: start, insert: '', start: from, end: from };
  }
  const mark = bullet ?? `${Number(count) + 1}${dot}`;
  return insertAt(start, `\n${indent}${mark}${space}${task ? '[ ] ' : ''}`);
}

const insertAt = (at: number, insert: string): Edit => ({
  from: at,
  to: at,
  insert,
  start: at + insert.length,
  end: at + insert.length,
});

/** True between a line of backticks and the one that closes it, also while that is not typed yet. */
export function inFence(text: string, at: number): boolean {
  let open = '';
  for (const line of text.slice(0, at).split('\n').slice(0, -1)) {
    const fence = /^ {0,3}(`{3,}|~{3,})([^`]*)$/.exec(line);
    if (!fence) continue;
    if (!open) open = fence[1]!;
    else if (fence[1]!.startsWith(open) && !fence[2]!.trim()) open = '';
  }
  return !!open;
}

/** An address that is pasted over a text makes it a link. Null when it is to be pasted as it is. */
export function pasteLink(selected: Selected, pasted: string): Edit | null {
  const { text, start, end } = selected;
  const inside = text.slice(start, end);
  const address = pasted.trim();
  const label = inside.trim();
  if (!label || /[\n[\]]/.test(inside) || wholeAddress(label) || inFence(text, start)) return null;
  if (!/^https?:/i.test(address) || !wholeAddress(address)) return null;
  const insert = inside.replace(label, () => `[${label}](${address})`);
  return { from: start, to: end, insert, start: start + insert.length, end: start + insert.length };
}
