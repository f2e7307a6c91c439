// Owns how a message's text is read: Markdown as people write it in a chat. It gives pieces, never HTML, and a text is
// read once. Must not know how the pieces are shown.
import type { Token, Tokens } from 'marked';
import { findAddresses, safeHref, wholeAddress, withoutHidden } from './address';
import { isFewEmoji } from './emoji';
import { lex } from './lexer';

export type Span =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'em' | 'del'; spans: Span[] }
  /** `title` is the address, when the text of the link is another. */
  | { kind: 'link'; href: string; title?: string; spans: Span[] };

export interface Item {
  /** A task that is done or not; undefined for an item that is no task. */
  done?: boolean;
  blocks: Block[];
}

export type Align = 'left' | 'center' | 'right' | null;

export type Block =
  | { kind: 'prose'; spans: Span[] }
  | { kind: 'heading'; level: number; spans: Span[] }
  | { kind: 'code'; text: string; language: string }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'list'; start: number | null; items: Item[] }
  | { kind: 'table'; align: Align[]; head: Span[][]; rows: Span[][][] }
  | { kind: 'rule' };

export interface Body {
  blocks: Block[];
  /** Nothing but one to three emoji. */
  big: boolean;
  /** Has characters that may reach beyond their line: any but Latin, Chinese, Japanese and Korean ones. */
  tall: boolean;
}

/** Without any of these a text is one piece, and marked is not asked. */
const marks =
  /[\\`*_~[\]<>|#@]|:\/\/|www\.|mailto:|^[ \t]*(?:[-+]|\d+[.)])(?:[ \t]|$)|^ {0,3}-{3}/im;

/** How many texts stay read: more than the rows that are on the page at once, and their neighbours. */
const mostKept = 800;
const kept = new Map<string, Body>();

/** The same text gives the same object again, so that a row that is drawn again costs nothing here. */
export function parseBody(text: string): Body {
  const known = kept.get(text);
  if (known) return known;
  const body = read(text);
  if (kept.size >= mostKept) kept.delete(kept.keys().next().value!);
  kept.set(text, body);
  return body;
}

function read(text: string): Body {
  const trimmed = text.replace(/\r\n?/g, '\n').replace(/^(?:[ \t]*\n)+|\s+$/g, '');
  if (!marks.test(trimmed)) return plain(trimmed);
  try {
    return whole(toBlocks(lex(trimmed)), trimmed);
  } catch {
    // Whatever marked stumbles over, the message can still be read as it was typed.
    return plain(trimmed);
  }
}

function plain(text: string): Body {
  const blocks: Block[] = text ? [{ kind: 'prose', spans: [{ kind: 'text', text }] }] : [];
  return whole(blocks, text);
}

const flat = /^[\0-\u02ff\u2010-\u2027\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]*$/;

const whole = (blocks: Block[], text: string): Body => ({
  blocks,
  big: isFewEmoji(text.trim()),
  tall: !flat.test(text),
});

/** Paragraphs with nothing but empty lines between them are one piece, so that the lines stay as they were typed. */
function toBlocks(tokens: Token[]): Block[] {
  const blocks: Block[] = [];
  let between = '';
  for (const token of tokens) {
    if (token.type === 'space') {
      between += token.raw;
    } else if (token.type === 'paragraph' || token.type === 'text') {
      const { raw, text, tokens: inside = [] } = token as Tokens.Paragraph;
      const last = blocks.at(-1);
      const spans = toSpans(inside);
      if (last?.kind === 'prose') {
        pushText(last.spans, between);
        for (const span of spans) push(last.spans, span);
      } else if (spans.length) blocks.push({ kind: 'prose', spans });
      between = '\n'.repeat(newlinesAtEnd(raw) - newlinesAtEnd(text));
    } else {
      between = '';
      const block = toBlock(token);
      if (block) blocks.push(block);
    }
  }
  return blocks;
}

const newlinesAtEnd = (text: string): number => /\n*$/.exec(text)![0].length;

function toBlock(token: Token): Block | null {
  switch (token.type) {
    case 'heading': {
      const { depth, tokens } = token as Tokens.Heading;
      return { kind: 'heading', level: depth, spans: toSpans(tokens) };
    }
    case 'code': {
      const { lang = '', text } = token as Tokens.Code;
      const language = /^[\w+#.-]{1,20}/.exec(lang)?.[0] ?? '';
      return { kind: 'code', language, text: text.replace(/\n$/, '') };
    }
    case 'blockquote':
      return { kind: 'quote', blocks: toBlocks((token as Tokens.Blockquote).tokens) };
    case 'list': {
      const { ordered, start, items } = token as Tokens.List;
      return { kind: 'list', start: ordered ? Number(start) : null, items: items.map(toItem) };
    }
    case 'table': {
      const { align, header, rows } = token as Tokens.Table;
      const cells = (row: Tokens.TableCell[]) => row.map((cell) => toSpans(cell.tokens));
      return { kind: 'table', align, head: cells(header), rows: rows.map(cells) };
    }
    case 'hr':
      return { kind: 'rule' };
    case 'checkbox':
      return null;
    default:
      return { kind: 'prose', spans: [{ kind: 'text', text: token.raw }] };
  }
}

function toItem(item: Tokens.ListItem): Item {
  const blocks = toBlocks(item.tokens);
  return item.task ? { done: !!item.checked, blocks } : { blocks };
}

function toSpans(tokens: Token[]): Span[] {
  const spans: Span[] = [];
  for (const token of tokens) for (const span of toSpan(token)) push(spans, span);
  return spans;
}

function toSpan(token: Token): Span[] {
  switch (token.type) {
    case 'strong':
    case 'em':
    case 'del':
      return [{ kind: token.type, spans: toSpans(token.tokens ?? []) }];
    case 'codespan':
      return [{ kind: 'code', text: (token as Tokens.Codespan).text }];
    case 'escape':
      return [{ kind: 'text', text: (token as Tokens.Escape).text }];
    case 'link':
    case 'image':
      return link(token as Tokens.Link);
    case 'checkbox':
      return [];
    default:
      return [{ kind: 'text', text: token.raw }];
  }
}

/** A link that may not lead there is the text that was typed. */
function link(token: Tokens.Link): Span[] {
  const href = safeHref(token.href);
  if (!href) return [{ kind: 'text', text: token.raw }];
  if (token.autolink) return [{ kind: 'link', href, spans: [bare(token.text)] }];
  const spans = toSpans(token.tokens).map(stripped);
  // What the reader sees of it, without marks: an address in bold is an address all the same.
  const label = spans.map(lettersOf).join('').trim();
  if (!label) return [{ kind: 'link', href, spans: [bare(href)] }];
  const named = findAddresses(label);
  if (named.every((shown) => host(shown.href) === host(href))) {
    if (wholeAddress(label)) return [{ kind: 'link', href, spans }];
    return [{ kind: 'link', href, title: bare(href).text, spans }];
  }
  // The text names one place and the link leads to another: the reader sees both, and can follow the true one.
  const text = { kind: 'text', text: ` (${bare(href).text})` } as const;
  return [{ kind: 'link', href, title: bare(href).text, spans: [...spans, text] }];
}

const bare = (address: string) =>
  ({ kind: 'text', text: withoutHidden(address).replace(/^mailto:/i, '') }) as const;

const host = (href: string): string => new URL(href).host || href;

const lettersOf = (span: Span): string =>
  'spans' in span ? span.spans.map(lettersOf).join('') : span.text;

function stripped(span: Span): Span {
  if ('spans' in span) return { ...span, spans: span.spans.map(stripped) };
  return { ...span, text: withoutHidden(span.text) };
}

function push(spans: Span[], span: Span): void {
  if (span.kind === 'text') pushText(spans, span.text);
  else spans.push(span);
}

function pushText(spans: Span[], text: string): void {
  const last = spans.at(-1);
  if (last?.kind === 'text') spans[spans.length - 1] = { kind: 'text', text: last.text + text };
  else if (text) spans.push({ kind: 'text', text });
}
