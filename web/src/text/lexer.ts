// Owns how marked reads a message: as in a chat, line by line and nothing taken away, which differs from a document in
// the places named below. Must not know what becomes of the tokens.
import { Lexer, Tokenizer, type Token, type Tokens } from 'marked';
import { findAddresses, type Address } from './address';

/** Quotes and lists may stand in each other up to this depth. What is deeper stays text, so no text is too deep to read. */
const deepest = 6;

/** The most cells of a table (columns times lines). A wide header over many empty lines would cost far more than its text. */
const mostCells = 1500;

const quoteLines = /^(?: {0,3}>[^\n]*(?:\n|$))+/;
const bullet = /^ {0,3}(?:[*+-]|\d{1,9}[.)])(?:[ \t]|$)/;
const escapable = /^\\[\\`*_~[\]()<>#|+\-.!]/;

// Marks beside a CJK character count as CommonMark's rule would have it for a word, because there are no spaces:
// **重要：**然后 is bold. The mask is what marked looks for closing marks in, so a letter stands for such punctuation.
const cjk = '\\u2e80-\\u9fff\\uac00-\\ud7af\\uf900-\\ufaff\\uff00-\\uffef';
const cjkMark =
  '\\u3001-\\u303f\\ufe30-\\ufe4f\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65“”‘’…—';
const marksBeside = new RegExp(
  `[${cjkMark}](?=[*~])|(?<=[*~])[${cjkMark}]|[!-)+-/:-@[-^{-}](?=(?:\\*+|~~)[${cjk}])`,
  'g',
);
const cjkEnd = new RegExp(`[${cjk}]$`);

class ChatTokenizer extends Tokenizer {
  #depth = 0;

  /** Leading spaces are no code. */
  override code(): undefined {}
  /** HTML is text. */
  override html(): undefined {}
  override tag(): undefined {}
  /** A definition would vanish from the message. */
  override def(): undefined {}
  override reflink(): undefined {}
  /** A line of dashes below a text is a rule. */
  override lheading(): undefined {}

  override fences(src: string): Tokens.Code | undefined {
    const token = super.fences(src);
    // A fence that is open at the end and has nothing in it is still being written, or is only backticks.
    return token?.text ? token : undefined;
  }

  override heading(src: string): Tokens.Heading | undefined {
    const token = super.heading(src);
    return token?.text ? token : undefined;
  }

  /** Only lines that begin with > are quoted. The next line is the writer's own. */
  override blockquote(src: string): Tokens.Blockquote | undefined {
    const raw = quoteLines.exec(src)?.[0].replace(/\n$/, '');
    if (!raw) return;
    const text = raw.replace(/^ {0,3}> ?/gm, '');
    if (!text.trim() || this.#depth >= deepest) return this.#asTyped(raw);
    return { type: 'blockquote', raw, text, tokens: this.#inside(() => this.#blocks(text)) };
  }

  /** A line that is neither indented nor an item ends the list. */
  override list(src: string): Tokens.List | undefined {
    if (!bullet.test(src)) return;
    let end = 0;
    while (end < src.length) {
      const next = src.indexOf('\n', end) + 1 || src.length;
      const line = src.slice(end, next).replace(/\n$/, '');
      if (line.trim() && !/^(?: {2}|\t)/.test(line) && !bullet.test(line)) break;
      end = next;
    }
    const raw = src.slice(0, end).trimEnd();
    if (this.#depth >= deepest) return this.#asTyped(raw);
    const token = this.#inside(() => super.list(src.slice(0, end)));
    return token && !token.items.some((item) => item.text.trim())
      ? this.#asTyped(token.raw)
      : token;
  }

  override table(src: string): Tokens.Table | undefined {
    const [head = '', marks = ''] = src.split('\n', 2);
    if (!head.includes('|') || !/^[ |:-]+$/.test(marks)) return;
    const lines = src.split('\n\n', 1)[0]!.split('\n').length;
    return head.split('|').length * lines <= mostCells ? super.table(src) : undefined;
  }

  /** A backslash goes only where it takes away a mark's meaning. */
  override escape(src: string): Tokens.Escape | undefined {
    return escapable.test(src) ? super.escape(src) : undefined;
  }

  override emStrong(
    src: string,
    masked: string,
    before = '',
  ): Tokens.Em | Tokens.Strong | undefined {
    return super.emStrong(src, masked, src[0] === '*' && cjkEnd.test(before) ? '' : before);
  }

  override del(src: string, masked: string, before = ''): Tokens.Del | undefined {
    // One ~ means "about" more often than it strikes through.
    if (!src.startsWith('~~')) return;
    return super.del(src, masked, cjkEnd.test(before) ? '' : before);
  }

  override url(src: string): Tokens.Link | undefined {
    const address = (this.lexer as unknown as ChatLexer).addressAt(src);
    if (!address) return;
    const raw = src.slice(0, address.end - address.start);
    const tokens: Token[] = [{ type: 'text', raw, text: raw }];
    return {
      type: 'link',
      raw,
      text: raw,
      href: address.href,
      title: null,
      autolink: true,
      tokens,
    };
  }

  override inlineText(src: string): Tokens.Text | undefined {
    const found = this.rules.inline.text.exec(src)?.[0];
    if (!found) return;
    const next = (this.lexer as unknown as ChatLexer).nextAddress(src);
    const raw = next > 0 ? found.slice(0, next) : found;
    return { type: 'text', raw, text: raw, escaped: false };
  }

  /** These lines are no quote or list after all. They are taken at once: line by line, each would be looked at again. */
  #asTyped<T>(raw: string): T {
    return { type: 'paragraph', raw, text: raw, tokens: this.lexer.inline(raw) } as T;
  }

  #blocks(text: string): Token[] {
    const { top } = this.lexer.state;
    this.lexer.state.top = true;
    const tokens = this.lexer.blockTokens(text, []);
    this.lexer.state.top = top;
    return tokens;
  }

  #inside<T>(read: () => T): T {
    this.#depth++;
    try {
      return read();
    } finally {
      this.#depth--;
    }
  }
}

/** Knows where the addresses are in the run of text that is being read, by the distance from its end. */
class ChatLexer extends Lexer {
  #addresses: { length: number; list: Address[] } = { length: 0, list: [] };

  constructor() {
    super({
      gfm: true,
      breaks: true,
      tokenizer: new ChatTokenizer() as Tokenizer<string, string>,
    });
    this.options.hooks = { emStrongMask: (masked: string) => this.#mask(masked) } as never;
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    const outer = this.#addresses;
    this.#addresses = { length: src.length, list: findAddresses(src) };
    try {
      return super.inlineTokens(src, tokens);
    } finally {
      this.#addresses = outer;
    }
  }

  addressAt(src: string): Address | undefined {
    const at = this.#addresses.length - src.length;
    return this.#addresses.list.find(({ start }) => start === at);
  }

  /** How many characters stand before the next address; a negative number when there is none. */
  nextAddress(src: string): number {
    const at = this.#addresses.length - src.length;
    const next = this.#addresses.list.find(({ start }) => start > at);
    return next ? next.start - at : -1;
  }

  /** Marks within an address mean nothing. */
  #mask(masked: string): string {
    let out = '';
    let at = 0;
    for (const { start, end } of this.#addresses.list) {
      out += masked.slice(at, start) + 'a'.repeat(end - start);
      at = end;
    }
    return (out + masked.slice(at)).replace(marksBeside, 'a');
  }
}

export const lex = (text: string): Token[] => new ChatLexer().lex(text);
