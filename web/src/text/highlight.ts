// Owns which parts of a piece of code get a colour, by highlight.js. It is loaded when first needed, and so is each
// language. It gives pieces, never HTML. Must not know what the colours are.
import hljs from 'highlight.js/lib/core';
import type { Emitter, LanguageFn } from 'highlight.js';

export type Colour = 'comment' | 'keyword' | 'string' | 'number' | 'name' | 'added' | 'removed';

export interface Piece {
  text: string;
  as?: Colour;
}

type Load = () => Promise<{ default: LanguageFn }>;

/** Each with the names that people write behind the fence. */
const languages: [names: string, load: Load][] = [
  ['javascript js jsx mjs', () => import('highlight.js/lib/languages/javascript')],
  ['typescript ts tsx', () => import('highlight.js/lib/languages/typescript')],
  ['python py', () => import('highlight.js/lib/languages/python')],
  ['rust rs', () => import('highlight.js/lib/languages/rust')],
  ['go golang', () => import('highlight.js/lib/languages/go')],
  ['java', () => import('highlight.js/lib/languages/java')],
  ['cpp c++ c h hpp cc', () => import('highlight.js/lib/languages/cpp')],
  ['bash sh shell zsh', () => import('highlight.js/lib/languages/bash')],
  ['sql', () => import('highlight.js/lib/languages/sql')],
  ['json jsonc json5', () => import('highlight.js/lib/languages/json')],
  ['yaml yml', () => import('highlight.js/lib/languages/yaml')],
  ['toml ini conf', () => import('highlight.js/lib/languages/ini')],
  ['html xml svg svelte vue', () => import('highlight.js/lib/languages/xml')],
  ['css', () => import('highlight.js/lib/languages/css')],
  ['diff patch', () => import('highlight.js/lib/languages/diff')],
];

const colours: [scopes: RegExp, as: Colour][] = [
  [/^(comment|quote|doctag)/, 'comment'],
  [/^(keyword|literal|built_in|selector-tag|meta|name$|tag$|section)/, 'keyword'],
  [/^(string|regexp|char|symbol|link)/, 'string'],
  [/^number/, 'number'],
  [/^(title|type|attr|variable|property|selector|params|function|class)/, 'name'],
  [/^addition/, 'added'],
  [/^deletion/, 'removed'],
];

const colour = (scope: string): Colour | undefined =>
  colours.find(([scopes]) => scopes.test(scope))?.[1];

/** Collects what highlight.js finds, as a flat list: an inner scope without a colour has the one around it. */
class Pieces implements Emitter {
  list: Piece[] = [];
  #around: (Colour | undefined)[] = [];

  addText(text: string): void {
    const as = this.#around.at(-1);
    const last = this.list.at(-1);
    if (last && last.as === as) last.text += text;
    else if (text) this.list.push({ text, as });
  }

  openNode(scope: string): void {
    this.#around.push(colour(scope) ?? this.#around.at(-1));
  }

  closeNode(): void {
    this.#around.pop();
  }

  startScope(scope: string): void {
    this.openNode(scope);
  }

  endScope(): void {
    this.closeNode();
  }

  __addSublanguage(inner: Emitter): void {
    for (const { text, as } of (inner as Pieces).list) this.list.push({ text, as });
  }

  finalize(): void {}

  toHTML(): string {
    return '';
  }
}

hljs.configure({ __emitter: Pieces });

/** The code in pieces, or null when its language is not known. */
export async function highlight(code: string, language: string): Promise<Piece[] | null> {
  const wanted = language.toLowerCase();
  const found = languages.find(([names]) => names.split(' ').includes(wanted));
  if (!found) return null;
  const name = found[0].split(' ', 1)[0]!;
  if (!hljs.getLanguage(name)) hljs.registerLanguage(name, (await found[1]()).default);
  const { _emitter } = hljs.highlight(code, { language: name, ignoreIllegals: true });
  const { list } = _emitter as Pieces;
  // highlight.js stops in the middle when a language's rules fail. Code is never shown with a part missing.
  return list.map(({ text }) => text).join('') === code ? list : null;
}
