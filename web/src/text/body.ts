// Owns how a message's plain text is read: code between backticks, web addresses, everything else as it is. It gives
// pieces, never HTML. Must not know how they are shown.

export type Span =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'link'; text: string; href: string };

export type Block =
  { kind: 'prose'; spans: Span[] } | { kind: 'code'; text: string; language: string };

const fence = /^```([\w+#.-]{0,20})[ \t]*\n([\s\S]*?)\n?^```[ \t]*$/gm;
const inline = /(`+)([^`\n](?:[^\n]*?[^`\n])?)\1(?!`)|https?:\/\/[^\s<>"`]+/g;

export function parseBody(body: string): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  for (const match of body.matchAll(fence)) {
    pushProse(blocks, body.slice(at, match.index));
    blocks.push({ kind: 'code', language: match[1] ?? '', text: match[2] ?? '' });
    at = match.index + match[0].length;
  }
  pushProse(blocks, body.slice(at));
  return blocks;
}

function pushProse(blocks: Block[], text: string): void {
  const trimmed = text.replace(/^\n+|\n+$/g, '');
  if (trimmed) blocks.push({ kind: 'prose', spans: parseSpans(trimmed) });
}

function parseSpans(text: string): Span[] {
  const spans: Span[] = [];
  const plain = (piece: string) => {
    if (piece) spans.push({ kind: 'text', text: piece });
  };
  let at = 0;
  for (const match of text.matchAll(inline)) {
    const code = match[2];
    const span = code === undefined ? link(match[0]) : ({ kind: 'code', text: code } as const);
    if (!span) continue;
    plain(text.slice(at, match.index));
    spans.push(span);
    at = match.index + (span.kind === 'link' ? span.text.length : match[0].length);
  }
  plain(text.slice(at));
  return spans;
}

/** An address without the punctuation of the sentence around it, or null when the text is no address. */
function link(found: string): Span | null {
  let text = found.replace(/[.,;:!?'*_]+$/, '');
  for (const [open, close] of ['()', '[]', '{}']) {
    while (text.endsWith(close!) && text.split(close!).length > text.split(open!).length) {
      text = text.slice(0, -1).replace(/[.,;:!?'*_]+$/, '');
    }
  }
  try {
    const { protocol, href, hostname } = new URL(text);
    if (!hostname || (protocol !== 'http:' && protocol !== 'https:')) return null;
    return { kind: 'link', text, href };
  } catch {
    return null;
  }
}
