// Owns leaving out what the client does not use of marked: only its lexer goes into the build. marked is published as one
// file whose parts a bundler cannot tell apart, but with all its sources in the map beside it, so these are taken. Knows
// nothing of what is lexed.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { transformWithOxc, type Plugin } from 'vite';

const map = createRequire(import.meta.url)
  .resolve('marked')
  .replace(/[^/]*$/, 'marked.esm.js.map');
const prefix = '\0marked/';
const entry =
  "export { _Lexer as Lexer } from './Lexer.ts'; export { _Tokenizer as Tokenizer } from './Tokenizer.ts';";

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
      const code = name === 'entry.ts' ? entry : await source(name);
      return (await transformWithOxc(code, name)).code;
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
  return sourcesContent[at]!;
}
