// What the composer's keys and buttons do to a text, and when it offers completions. In the texts | is the caret, and
// [ ] are the ends of a selection, written as « ».
import { describe, expect, test } from 'vitest';
import { goOn, pasteLink, use, type Edit, type Selected, type Tool } from './edit';
import { triggerAt } from './trigger';

function selected(drawn: string): Selected {
  const start = drawn.search(/[|«]/);
  const text = drawn.replace(/[|«»]/g, '');
  const end = drawn.includes('»') ? drawn.indexOf('»') - 1 : start;
  return { text, start, end };
}

function after(drawn: string, edit: Edit | null): string | null {
  if (!edit) return null;
  const { text } = selected(drawn);
  const whole = text.slice(0, edit.from) + edit.insert + text.slice(edit.to);
  const { start, end } = edit;
  if (start === end) return `${whole.slice(0, start)}|${whole.slice(start)}`;
  return `${whole.slice(0, start)}«${whole.slice(start, end)}»${whole.slice(end)}`;
}

describe('a tool', () => {
  test.each<[Tool, string, string]>([
    ['bold', 'a «b» c', 'a **«b»** c'],
    ['bold', 'a **«b»** c', 'a «b» c'],
    ['bold', 'a « b » c', 'a  **«b»**  c'],
    ['bold', '|', '**|**'],
    ['bold', '**|**', '|'],
    ['italic', '**«b»**', '***«b»***'],
    ['italic', '***«b»***', '**«b»**'],
    ['italic', '*«b»*', '«b»'],
    ['strike', '«b»', '~~«b»~~'],
    ['code', '«b»', '`«b»`'],
    ['link', 'a «b»', 'a [b](|)'],
    ['link', '|', '[|]()'],
    ['link', '«https://a.example»', '[|](https://a.example)'],
    ['quote', 'a\n«b\nc»\nd', 'a\n«> b\n> c»\nd'],
    ['quote', '«> b\n> c»', '«b\nc»'],
    ['quote', '|', '> |'],
    ['list', 'a|', '- a|'],
    ['list', '- a|', 'a|'],
    ['fence', '«let a;»', '```\n«let a;»\n```'],
    ['fence', 'x |', 'x \n```\n|\n```'],
    ['fence', 'x «y» z', 'x \n```\n«y»\n```\n z'],
  ])('%s: %j', (tool, before, wanted) =>
    expect(after(before, use(tool, selected(before)))).toBe(wanted),
  );
});

describe('Enter', () => {
  test.each<[string, string | null]>([
    ['hello|', null],
    ['- a|', '- a\n- |'],
    ['- a|b', '- a\n- |b'],
    ['x\n* a|', 'x\n* a\n* |'],
    ['  - a|', '  - a\n  - |'],
    ['1. a|', '1. a\n2. |'],
    ['9) a|', '9) a\n10) |'],
    ['- [x] a|', '- [x] a\n- [ ] |'],
    ['- a\n- |', '- a\n|'],
    ['- a\n- [ ] |', '- a\n|'],
    ['-|', null],
    ['-a|', null],
    ['«- a»', null],
    ['```|', '```\n|'],
    ['```js|', '```js\n|'],
    ['```a```|', null],
    ['```\na|', '```\na\n|'],
    ['```\n  a|', '```\n  a\n  |'],
    ['```\n- a|', '```\n- a\n|'],
    ['```\na\n```|', null],
    ['```\na\n```\nb|', null],
    ['~~~\n```\na|', '~~~\n```\na\n|'],
  ])('%j', (before, wanted) => expect(after(before, goOn(selected(before)))).toBe(wanted));
});

describe('a pasted address', () => {
  test.each<[string, string, string | null]>([
    ['see «this» now', 'https://a.example/b', 'see [this](https://a.example/b)| now'],
    ['«this »now', ' https://a.example\n', '[this](https://a.example) |now'],
    ['see |', 'https://a.example', null],
    ['«this»', 'no address', null],
    ['«this»', 'javascript:alert(1)', null],
    ['«this»', 'https://a@b.example', null],
    ['«https://b.example»', 'https://a.example', null],
    ['«a\nb»', 'https://a.example', null],
    ['```\n«a»', 'https://a.example', null],
  ])('over %j', (before, pasted, wanted) =>
    expect(after(before, pasteLink(selected(before), pasted))).toBe(wanted),
  );
});

describe('a completion', () => {
  test.each<[string, string | null]>([
    [':sm|', 'emoji sm 0'],
    ['a :+1|', 'emoji +1 2'],
    [':s|', null],
    ['10:30|', null],
    ['https:sm|', null],
    ['a::sm|', null],
    ['@|', 'person  0'],
    ['hi @ad|', 'person ad 3'],
    ['你好@ad|', 'person ad 2'],
    ['(@李|', 'person 李 1'],
    ['mail@ad|', null],
    ['@ad a|', null],
    ['@ad|a', 'person ad 0'],
    ['#|', 'room  0'],
    ['# |', null],
    ['x\n#lob|', 'room lob 2'],
    ['a#1|', null],
    ['https://a.example/#x|', null],
    ['`@ad|', null],
    ['`a` @ad|', 'person ad 4'],
    ['```\n@ad|', null],
  ])('%j', (drawn, wanted) => {
    const { text, start } = selected(drawn);
    const found = triggerAt(text, start);
    expect(found && `${found.kind} ${found.letters} ${found.from}`).toBe(wanted);
  });
});
