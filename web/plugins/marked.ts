// Owns leaving out what the client does not use of marked: only its lexer goes into the build, without what
// src/text/lexer.ts replaces, and with its rules worked out beforehand. marked is published as one file whose parts a
// bundler cannot tell apart, but with all its sources in the map beside it, so these are taken. A source that looks
// different from what is expected here fails the build; src/text/body.test.ts says whether what is left reads texts rightly.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { Lexer } from 'marked';
import { parseSync, transformWithOxc, Visitor, type Plugin } from 'vite';

const map = createRequire(import.meta.url)
  .resolve('marked')
  .replace(/[^/]*$/, 'marked.esm.js.map');
const lexer = new URL('../src/text/lexer.ts', import.meta.url);
const prefix = '\0marked/';
const entry =
  "export { _Lexer as Lexer } from './Lexer.ts'; export { _Tokenizer as Tokenizer } from './Tokenizer.ts';";

/** What is the same for every text in each source: the options, and that a message has no definitions of links. */
const constants: Record<string, Record<string, string>> = {
  'Lexer.ts': {
    'this.options.gfm': 'true',
    'this.options.breaks': 'true',
    'this.options.pedantic': 'false',
    'this.options.extensions': 'undefined',
    'this.tokens.links && src.includes("[")': 'false',
  },
  'Tokenizer.ts': {
    'this.options.gfm': 'true',
    'this.options.pedantic': 'false',
    'this.rules.block.lheading.test(`${line}\\n${nextLine}`)': 'false',
  },
};
/** Methods of the lexer that nothing calls then. */
const uncalled = ['rules', 'lexInline', 'linkInText'];

/** What remains of the source of the rules besides the rules: those of single lines, and what they are made with. */
const kept = /^(?:function cachedIndentRegex|const _tag |export const other )/;

export function markedLexer(): Plugin {
  return {
    name: 'parlor-marked',
    enforce: 'pre',
    resolveId(id, importer) {
      if (id === 'marked') return `${prefix}entry.ts`;
      return importer?.startsWith(prefix) ? prefix + basename(id) : undefined;
    },
    async load(id) {
      if (!id.startsWith(prefix)) return;
      const name = id.slice(prefix.length);
      if (name === 'entry.ts') return entry;
      return name === 'rules.ts' ? rules() : source(name);
    },
  };
}

async function source(name: string): Promise<string> {
  const { sources, sourcesContent } = JSON.parse(await readFile(map, 'utf8')) as {
    sources: string[];
    sourcesContent: string[];
  };
  const at = sources.findIndex((path) => basename(path) === name);
  if (at < 0) throw new Error(`marked has no source ${name}`);
  const { code } = await transformWithOxc(sourcesContent[at]!, name);
  const short =
    name === 'Lexer.ts'
      ? await shortLexer(code)
      : name === 'Tokenizer.ts'
        ? await shortTokenizer(code)
        : code;
  return Object.entries(constants[name] ?? {}).reduce((left, [what, value]) => {
    if (!left.includes(what)) throw new Error(`marked has no ${what}`);
    return left.replaceAll(what, value);
  }, short);
}

/** The methods that the client's own tokenizer has instead of marked's; `empty` are those that never find anything. */
async function replaced(): Promise<{ all: string[]; empty: string[] }> {
  const text = await readFile(lexer, 'utf8');
  const names = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name!);
  const all = names(/^ {2}override (\w+)\(/gm).filter((name) => !text.includes(`super.${name}(`));
  return { all, empty: names(/^ {2}override (\w+)\(\): undefined \{\}/gm) };
}

async function shortTokenizer(code: string): Promise<string> {
  const { all } = await replaced();
  return without(code, methods(code, all));
}

/** Without the ways in that nobody takes, and without looking for what is never found. */
async function shortLexer(code: string): Promise<string> {
  const { empty } = await replaced();
  const looks = empty.map((name) => `if (token = this.tokenizer.${name}(src`);
  const parts: Part[] = methods(code, uncalled);
  new Visitor({
    IfStatement(node) {
      if (looks.some((look) => code.startsWith(look, node.start))) parts.push(node);
    },
  }).visit(parseSync('marked.js', code).program);
  if (parts.length !== uncalled.length + looks.length) throw new Error('marked looks different');
  return without(code, parts);
}

/** A stretch of code. */
interface Part {
  start: number;
  end: number;
}

const without = (code: string, parts: Part[]): string =>
  parts
    .sort((a, b) => b.start - a.start)
    .reduce((left, { start, end }) => left.slice(0, start) + left.slice(end), code);

function methods(code: string, names: string[]): Part[] {
  const parts: Part[] = [];
  new Visitor({
    MethodDefinition(node) {
      if (node.key.type === 'Identifier' && names.includes(node.key.name)) parts.push(node);
    },
  }).visit(parseSync('marked.js', code).program);
  return parts;
}

/**
 * marked makes its rules out of pieces when the page starts, and for every dialect. Here they are made beforehand, and
 * only those are written down that something asks for.
 */
async function rules(): Promise<string> {
  const [code, ...users] = await Promise.all(
    ['rules.ts', 'Lexer.ts', 'Tokenizer.ts', 'helpers.ts'].map(source),
  );
  const text = users.join('\n') + (await readFile(lexer, 'utf8'));
  const used = new Set(
    [...text.matchAll(/\b(?:block|inline|other)\.(\w+)/g)].map(([, name]) => name),
  );
  for (const [, names] of text.matchAll(/\{ ([\w, ]+) \} = this\.tokenizer\.rules/g))
    for (const name of names!.split(', ')) used.add(name);

  const parts: Part[] = [];
  for (const statement of parseSync('marked.js', code!).program.body) {
    const text = code!.slice(statement.start, statement.end);
    if (!kept.test(text)) parts.push(statement);
  }
  new Visitor({
    Property(node) {
      const name = node.key.type === 'Identifier' ? node.key.name : '';
      if (
        !used.has(name) &&
        !parts.some(({ start, end }) => start <= node.start && node.end <= end)
      )
        parts.push({ start: node.start, end: code!.indexOf('\n', node.end) });
    },
  }).visit(parseSync('marked.js', code!).program);
  const written = (all: Record<string, RegExp>) =>
    Object.entries(all)
      .filter(([name]) => used.has(name))
      .map(([name, rule]) => `${name}: ${String(rule)}`)
      .join(',\n');
  const { block, inline } = Lexer.rules;
  return `${without(code!, parts)}
    export const block = { gfm: { ${written(block.gfm)} } };
    export const inline = { breaks: { ${written(inline.breaks)} } };`;
}
