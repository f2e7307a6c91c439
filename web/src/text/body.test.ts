// How bodies are read: what each way of writing gives, what stays as it was typed, and that nothing hostile gets a link,
// loses text or takes long.
import { describe, expect, test } from 'vitest';
import { parseBody, type Block, type Item, type Span } from './body';

/** The pieces of a body as one short text: <b>, <i>, <s>, <c> for runs, <a ADDRESS> for links, " / " between blocks. */
const read = (body: string): string => blocks(parseBody(body).blocks);

const blocks = (list: Block[]): string => list.map(block).join(' / ');

function block(of: Block): string {
  switch (of.kind) {
    case 'prose':
      return spans(of.spans);
    case 'heading':
      return `h${of.level}(${spans(of.spans)})`;
    case 'code':
      return `pre.${of.language}(${of.text})`;
    case 'quote':
      return `quote(${blocks(of.blocks)})`;
    case 'list':
      return `${of.start === null ? 'ul' : `ol${of.start}`}(${of.items.map(item).join('; ')})`;
    case 'table':
      return `table.${of.align.map((side) => side?.[0] ?? '-').join('')}(${[of.head, ...of.rows]
        .map((row) => row.map(spans).join(','))
        .join('; ')})`;
    case 'rule':
      return 'rule';
  }
}

const item = ({ done, blocks: inside }: Item): string =>
  (done === undefined ? '' : done ? '[x]' : '[ ]') + blocks(inside);

const spans = (list: Span[]): string => list.map(span).join('');

function span(of: Span): string {
  if (of.kind === 'text') return of.text;
  if (of.kind === 'code') return `<c>${of.text}</c>`;
  if (of.kind === 'link') return `<a ${of.href}>${spans(of.spans)}</a>`;
  const tag = { strong: 'b', em: 'i', del: 's' }[of.kind];
  return `<${tag}>${spans(of.spans)}</${tag}>`;
}

/** What is written, and what is read from it. A case with one text stays as it was typed. */
type Case = [body: string, pieces: string] | [body: string];

function table(name: string, cases: Case[]): void {
  describe(name, () => {
    test.each(cases.map(([body, pieces]) => [body, pieces ?? body] as const))(
      '%j',
      (body, pieces) => expect(read(body)).toBe(pieces),
    );
  });
}

table('plain text', [
  [''],
  ['Hello, world'],
  ['a\nb'],
  ['a\n\nb'],
  ['a\n\n\n\nb'],
  ['\n\na\n', 'a'],
  ['  two spaces\n    four spaces'],
  ['    four spaces at the start'],
  ['a  \nb'],
  ['a\\\nb'],
  ['one\ttab'],
  ['a\r\nb', 'a\nb'],
  ['2 * 3 * 4'],
  ['a * b'],
  ['snake_case_name and __init__.py', 'snake_case_name and <b>init</b>.py'],
  ['file_a_b.txt'],
  ['~5 minutes ~ 6'],
  ['~about~'],
  ['5 < 6 > 4 & 7'],
  ['&amp; &#65; &#x202e; &lt;'],
  ['C:\\Users\\ada\\x'],
  ['\\d+\\s'],
  ['a \\*b\\* c', 'a *b* c'],
  ['\\`a\\`', '`a`'],
  ['\\# no heading', '# no heading'],
  ['1\\. no list', '1. no list'],
  ['#room and #5'],
  ['-1 and +1'],
  ['-'],
  ['+'],
  ['*'],
  ['1.'],
  ['#'],
  ['>'],
  ['a\n>\nb'],
  ['-\n-\n-'],
  ['-\nb'],
  ['```'],
  ['`'],
  ['**'],
  ['_'],
  ['[ ] x'],
  ['a | b'],
  ['[a]: https://a.example', '[a]: <a https://a.example/>https://a.example</a>'],
  ['[a][b]'],
  ['text\n===='],
  ['@ada #lobby :smile:'],
]);

table('marks in a line', [
  ['**a** *b* _c_ __d__', '<b>a</b> <i>b</i> <i>c</i> <b>d</b>'],
  ['~~a~~', '<s>a</s>'],
  ['***a***', '<i><b>a</b></i>'],
  ['**a *b* c**', '<b>a <i>b</i> c</b>'],
  ['**a\nb**', '<b>a\nb</b>'],
  ['a**b**c', 'a<b>b</b>c'],
  ['a_b_c'],
  ['** a **'],
  ['**a'],
  ['*a **b*', '*a *<i>b</i>'],
  ['~~a `b` **c**~~', '<s>a <c>b</c> <b>c</b></s>'],
  ['中**文**字', '中<b>文</b>字'],
  ['**重要：**请看', '<b>重要：</b>请看'],
  ['前文**“重要”**后文', '前文<b>“重要”</b>后文'],
  ['他说：**好。**然后', '他说：<b>好。</b>然后'],
  ['**甲**：**乙**', '<b>甲</b>：<b>乙</b>'],
  ['这是*（斜）*体', '这是<i>（斜）</i>体'],
  ['删~~（错）~~了', '删<s>（错）</s>了'],
  ['**foo(bar)**です', '<b>foo(bar)</b>です'],
]);

table('code', [
  ['`a` and `b`', '<c>a</c> and <c>b</c>'],
  ['run `a < b` now', 'run <c>a < b</c> now'],
  ['``a ` b``', '<c>a ` b</c>'],
  ['`` ` ``', '<c>`</c>'],
  ['```a``` b', '<c>a</c> b'],
  ['one ` alone'],
  ['``a`', '``a`'],
  ['`a``b`', '<c>a``b</c>'],
  ['`**a**`', '<c>**a**</c>'],
  ['`<b>`', '<c><b></c>'],
  ['`https://a.example`', '<c>https://a.example</c>'],
  ['`\\`', '<c>\\</c>'],
  ['x\n```rs\nlet `a`;\n\n  b\n```\ny', 'x / pre.rs(let `a`;\n\n  b) / y'],
  ['```\na\n```', 'pre.(a)'],
  ['~~~\na\n~~~', 'pre.(a)'],
  ['````\n```\na\n```\n````', 'pre.(```\na\n```)'],
  ['```\nnever closed', 'pre.(never closed)'],
  ['```c++\nx\n```', 'pre.c++(x)'],
  ['```js title="a b"\nx\n```', 'pre.js(x)'],
  ['```"><script>\nx\n```', 'pre.(x)'],
  ['```\n<script>alert(1)</script>\n```', 'pre.(<script>alert(1)</script>)'],
  ['```\n\n\n```', 'pre.(\n)'],
  ['```\n  a\n\tb\n```', 'pre.(  a\n\tb)'],
]);

table('quotes, lists, tables, headings, rules', [
  ['> a', 'quote(a)'],
  ['>a', 'quote(a)'],
  ['> a\n> b', 'quote(a\nb)'],
  ['> a\nmy answer', 'quote(a) / my answer'],
  ['a\n> b\nc', 'a / quote(b) / c'],
  ['> a\n>\n> b', 'quote(a\n\nb)'],
  ['> > a', 'quote(quote(a))'],
  ['>>>>>>>> a', 'quote(quote(quote(quote(quote(quote(>> a))))))'],
  ['- - - - - - - - a', 'ul(ul(ul(ul(ul(ul(- - a))))))'],
  ['> **a**\n> - b', 'quote(<b>a</b> / ul(b))'],
  ['> ```\n> x\n> ```', 'quote(pre.(x))'],
  ['- a\n- b', 'ul(a; b)'],
  ['* a\n* b', 'ul(a; b)'],
  ['1. a\n2. b', 'ol1(a; b)'],
  ['3. a\n4. b', 'ol3(a; b)'],
  ['1986. A good year', 'ol1986(A good year)'],
  ['1) a\n2) b', 'ol1(a; b)'],
  ['- a\n  - b\n    - c', 'ul(a / ul(b / ul(c)))'],
  ['- a\nno item', 'ul(a) / no item'],
  ['- a\n  same item', 'ul(a\nsame item)'],
  ['todo:\n- a', 'todo: / ul(a)'],
  ['- a\n\n- b', 'ul(a; b)'],
  ['- [ ] a\n- [x] b\n- [X] c', 'ul([ ]a; [x]b; [x]c)'],
  ['- [ ] a\n\n- [x] b', 'ul([ ]a; [x]b)'],
  ['- `a`\n- **b**', 'ul(<c>a</c>; <b>b</b>)'],
  ['- a\n-\n- b', 'ul(a; ; b)'],
  ['- a\n\n  ```\n  x\n  ```', 'ul(a / pre.(x))'],
  ['in 2026. Then\n2. b', 'in 2026. Then\n2. b'],
  ['| a | b |\n| --- | --: |\n| 1 | 2 |', 'table.-r(a,b; 1,2)'],
  ['a|b\n:-:|:-\n1|**2**', 'table.cl(a,b; 1,<b>2</b>)'],
  ['| a |\n|---|\n| 1 | 2 | 3 |', 'table.-(a; 1)'],
  ['| a | b |\n|---|---|\n| `x \\| y` | 2 |', 'table.--(a,b; <c>x | y</c>,2)'],
  ['see\n| a | b |\n|---|---|\n| 1 | 2 |', 'see / table.--(a,b; 1,2)'],
  ['| a | b |\n| no table |'],
  ['# A\ntext', 'h1(A) / text'],
  ['### A **b** ###', 'h3(A <b>b</b>)'],
  ['a\n## B', 'a / h2(B)'],
  ['---', 'rule'],
  ['a\n---\nb', 'a / rule / b'],
  ['* * *', 'rule'],
  ['--'],
]);

table('addresses', [
  ['see http://a.example/b.', 'see <a http://a.example/b>http://a.example/b</a>.'],
  [
    'see https://example.com/a。然后',
    'see <a https://example.com/a>https://example.com/a</a>。然后',
  ],
  ['（https://example.com/b）', '（<a https://example.com/b>https://example.com/b</a>）'],
  ['HTTPS://Example.org/x', '<a https://example.org/x>HTTPS://Example.org/x</a>'],
  ['www.example.org', '<a https://www.example.org/>www.example.org</a>'],
  ['WWW.Example.org/A', '<a https://www.example.org/A>WWW.Example.org/A</a>'],
  ['（www.example.org）', '（<a https://www.example.org/>www.example.org</a>）'],
  ['www.example'],
  ['www. and www..a'],
  ['xhttps://a.example'],
  ['请看https://a.example/b', '请看<a https://a.example/b>https://a.example/b</a>'],
  ['https://a.example然后', '<a https://a.example/>https://a.example</a>然后'],
  [
    'https://de.wikipedia.org/wiki/Größe',
    '<a https://de.wikipedia.org/wiki/Gr%C3%B6%C3%9Fe>https://de.wikipedia.org/wiki/Größe</a>',
  ],
  [
    'https://a.example/维基、',
    '<a https://a.example/%E7%BB%B4%E5%9F%BA>https://a.example/维基</a>、',
  ],
  ['https://münchen.example/', '<a https://xn--mnchen-3ya.example/>https://münchen.example/</a>'],
  ['https://a.example/x_(y)', '<a https://a.example/x_(y)>https://a.example/x_(y)</a>'],
  ['(https://a.example/x_(y))', '(<a https://a.example/x_(y)>https://a.example/x_(y)</a>)'],
  ['https://a.example/(a)', '<a https://a.example/(a)>https://a.example/(a)</a>'],
  ['[https://a.example/]', '[<a https://a.example/>https://a.example/</a>]'],
  ['https://a.example/a[1]', '<a https://a.example/a[1]>https://a.example/a[1]</a>'],
  [
    'https://a.example/?q=1&r=2, then',
    '<a https://a.example/?q=1&r=2>https://a.example/?q=1&r=2</a>, then',
  ],
  ['“https://a.example/”', '“<a https://a.example/>https://a.example/</a>”'],
  ['«https://a.example/a»', '«<a https://a.example/a>https://a.example/a</a>»'],
  ['"https://a.example/a"', '"<a https://a.example/a>https://a.example/a</a>"'],
  ['https://a.example/a… more', '<a https://a.example/a>https://a.example/a</a>… more'],
  ['https://a.example/a—more', '<a https://a.example/a>https://a.example/a</a>—more'],
  ['https://a.example/a?!', '<a https://a.example/a>https://a.example/a</a>?!'],
  ['https://a.example/_x_/*y*', '<a https://a.example/_x_/*y>https://a.example/_x_/*y</a>*'],
  ['**https://a.example/a**', '<b><a https://a.example/a>https://a.example/a</a></b>'],
  ['**https://a.example/a**b', '<b><a https://a.example/a>https://a.example/a</a></b>b'],
  ['https://a.example:8080/#x', '<a https://a.example:8080/#x>https://a.example:8080/#x</a>'],
  ['http://localhost:3000', '<a http://localhost:3000/>http://localhost:3000</a>'],
  ['http://[::1]/', '<a http://[::1]/>http://[::1]/</a>'],
  [
    'https://a.example https://b.example',
    '<a https://a.example/>https://a.example</a> <a https://b.example/>https://b.example</a>',
  ],
  ['<https://a.example/b>', '<a https://a.example/b>https://a.example/b</a>'],
  ['http://'],
  ['https://.'],
  ['https:///a'],
  ['ada@example.org', '<a mailto:ada@example.org>ada@example.org</a>'],
  ['to a.b+c@mail.example.org.', 'to <a mailto:a.b+c@mail.example.org>a.b+c@mail.example.org</a>.'],
  ['mailto:ada@example.org', '<a mailto:ada@example.org>ada@example.org</a>'],
  ['ada@localhost and @ada'],
  ['写给ada@example.org。', '写给<a mailto:ada@example.org>ada@example.org</a>。'],
  ['[text](https://a.example/b)', '<a https://a.example/b>text</a>'],
  ['[a **b**](https://a.example)', '<a https://a.example/>a <b>b</b></a>'],
  ['[text](<https://a.example/b c>)', '<a https://a.example/b%20c>text</a>'],
  ['[text](https://a.example "title")', '<a https://a.example/>text</a>'],
  ['[text](www.example.org)', '<a https://www.example.org/>text</a>'],
  ['[mail](mailto:a@b.example?subject=x)', '<a mailto:a@b.example?subject=x>mail</a>'],
  ['![alt](https://a.example/i.png)', '<a https://a.example/i.png>alt</a>'],
  ['![](https://a.example/i.png)', '<a https://a.example/i.png>https://a.example/i.png</a>'],
  ['[](https://a.example)', '<a https://a.example/>https://a.example/</a>'],
  ['[a](/relative) [b](#c) [d](e)'],
]);

table('what is hostile', [
  ['<script>alert(1)</script>'],
  ['<img src=x onerror=alert(1)>'],
  ['<b>a **b**</b>', '<b>a <b>b</b></b>'],
  ['<!-- a -->\n<style>*{}</style>'],
  [
    '<iframe src="https://a.example"></iframe>',
    '<iframe src="<a https://a.example/>https://a.example</a>"></iframe>',
  ],
  ['javascript:alert(1) ftp://a.example data:text/html,x'],
  ['[a](javascript:alert(1))'],
  ['[a](JaVaScRiPt:alert(1))'],
  ['[a](java\u200bscript:alert(1))'],
  ['[a](&#106;avascript:alert(1))'],
  ['[a](data:text/html;base64,PHNjcmlwdD4=)'],
  [
    '[a](vbscript:x) [b](file:///etc/passwd) [c](blob:https://a.example/x)',
    '[a](vbscript:x) [b](file:///etc/passwd) [c](blob:https://a.example/x)',
  ],
  ['<javascript:alert(1)>'],
  ['![x](javascript:alert(1))'],
  ['[a](//evil.example)'],
  ['[a](https:evil.example)'],
  ['[a](https:\\\\evil.example)', '[a](https:\\\\evil.example)'],
  ['https://bank.example@evil.example/'],
  ['https://ada:secret@evil.example'],
  ['[a](https://bank.example@evil.example)', '[a](https://bank.example@evil.example)'],
  [
    '[**https://bank.example**](https://evil.example/x)',
    '<a https://evil.example/x><b>https://bank.example</b> (https://evil.example/x)</a>',
  ],
  [
    '[`https://bank.example`](https://evil.example/x)',
    '<a https://evil.example/x><c>https://bank.example</c> (https://evil.example/x)</a>',
  ],
  [
    '[see https://bank.example ✓](https://evil.example/x)',
    '<a https://evil.example/x>see https://bank.example ✓ (https://evil.example/x)</a>',
  ],
  [
    '[https://evil.example or https://bank.example](https://evil.example/x)',
    '<a https://evil.example/x>https://evil.example or https://bank.example (https://evil.example/x)</a>',
  ],
  [
    '[https://bank.example](https://evil.example/x)',
    '<a https://evil.example/x>https://bank.example (https://evil.example/x)</a>',
  ],
  [
    '[www.bank.example](https://evil.example)',
    '<a https://evil.example/>www.bank.example (https://evil.example/)</a>',
  ],
  ['[\u202ekcab](https://a.example)', '<a https://a.example/>kcab</a>'],
  ['https://a.example/\u202egnp.exe', '<a https://a.example/>https://a.example/</a>\u202egnp.exe'],
  ['[a](https://a.example/\u202egnp.exe)', '<a https://a.example/gnp.exe>a</a>'],
  ['[a](mailto:x) [b](mailto:a@b@c)'],
  ['[x\n<script>](https://a.example)', '<a https://a.example/>x\n<script></a>'],
  [
    '[a [b](https://b.example) c](https://a.example)',
    '[a <a https://b.example/>b</a> c](<a https://a.example/>https://a.example</a>)',
  ],
  ['| a |\n|---|\n| <script> |', 'table.-(a; <script>)'],
]);

test.each([
  ['👍', true],
  ['👍👍🏽 ❤️', true],
  ['👩‍👩‍👧‍👦 🇩🇪 🏴󠁧󠁢󠁳󠁣󠁴󠁿', true],
  ['1️⃣', true],
  [' 🎉\n', true],
  ['👍👍👍👍', false],
  ['👍 ok', false],
  ['1', false],
  ['©', false],
  ['#', false],
  ['', false],
])('%j is large: %s', (body, big) => expect(parseBody(body).big).toBe(big));

test('a text is read once', () => expect(parseBody('**a** b')).toBe(parseBody('**a** b')));

const size = 16 * 1024;
const filled = (piece: string) => piece.repeat(Math.floor(size / piece.length));
const hostile = [
  ...[
    '[',
    ']',
    '[]',
    '![',
    '[a](',
    '[a](b',
    '(',
    '{',
    '`',
    '`a',
    '*',
    '*a ',
    '**a*',
    '*_',
    '*a_b',
    '_a',
    '__a_',
    '~~a',
  ],
  ...[
    '<',
    '<a ',
    '<!--',
    '>',
    '> ',
    '>\n',
    '>a\n',
    '- ',
    '- a\n',
    '>- ',
    '1. ',
    '+ ',
    '#',
    '# a\n',
    '```\n',
    '~~~a\n',
    '|',
    '|a',
  ],
  ...[
    '|\n',
    '-\n',
    '=\n',
    '\\',
    '\n',
    ' ',
    '\t',
    'a',
    'a.',
    'a@',
    '@',
    'a@b.c',
    'http://',
    'http://(',
    'https://a.b ',
    'www.',
  ],
  ...[
    '&a',
    'a\n',
    '👍',
    'e\u0301',
    '：**',
    '**：',
    '*a **b ~~c _d `e ',
    '[a]: b\n',
    'mailto:',
    '\u202e',
  ],
].map((piece) => [piece, filled(piece)] as const);

describe('16 KiB of the same are read in a moment, however deep', () => {
  test.each<readonly [string, string]>([
    ...hostile,
    ['brackets in each other', '['.repeat(size / 2) + ']'.repeat(size / 2)],
    [
      'lists in each other',
      Array.from({ length: 170 }, (_, n) => `${' '.repeat(n)}- a`).join('\n'),
    ],
    ['runs of backticks', Array.from({ length: 170 }, (_, n) => '`'.repeat(n + 1)).join(' ')],
    ['a wide table', `${'|a'.repeat(500)}|\n${'|-'.repeat(500)}|\n${'|\n'.repeat(5000)}`],
    [
      'a wide table in a text',
      `x\n${'|a'.repeat(500)}|\n${'|-'.repeat(500)}|\n${'|\n'.repeat(5000)}`,
    ],
    ['a table in parts', `${'a|'.repeat(40)}\n${'-|'.repeat(40)}\n`.repeat(100)],
  ])('%j', (_, body) => {
    const before = process.cpuUsage();
    const pieces = parseBody(body).blocks;
    // Several times what the slowest takes. It is this process's own time, so the load of others does not count.
    const { user } = process.cpuUsage(before);
    expect(user / 1_000).toBeLessThan(1_000);
    expect(count(pieces)).toBeLessThan(size * 2);
  });
});

/** How many objects the pieces are, which is about how many elements the page gets. */
function count(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + count(one), 1);
  return value && typeof value === 'object' ? count(Object.values(value)) : 0;
}
