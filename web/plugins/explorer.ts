// Owns the files of the API explorer (/docs): Swagger UI as published, and our own page, script and style around it,
// all under names that change with their content. Knows nothing of the client beside it.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

const own = new URL('../swagger/', import.meta.url);
const published = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

export function explorer(): Plugin {
  return {
    name: 'parlor-explorer',
    apply: 'build',
    async generateBundle() {
      const sources: Record<string, string> = {
        'swagger-ui.js': await readFile(join(published, 'swagger-ui-bundle.js'), 'utf8'),
        'swagger-ui.css': await readFile(join(published, 'swagger-ui.css'), 'utf8'),
        'docs.js': await readFile(new URL('docs.js', own), 'utf8'),
        'docs.css': await readFile(new URL('docs.css', own), 'utf8'),
      };
      let page = await readFile(new URL('docs.html', own), 'utf8');
      for (const [name, text] of Object.entries(sources)) {
        // The source maps are not shipped; without this line browsers would ask for them.
        const source = text.replace(/^(\/\/|\/\*)# sourceMappingURL=.*$/gm, '');
        const hash = createHash('sha256').update(source).digest('base64url').slice(0, 8);
        const fileName = `docs/assets/${name.replace('.', `-${hash}.`)}`;
        this.emitFile({ type: 'asset', fileName, source });
        page = page.replace(`{{${name}}}`, `/${fileName}`);
      }
      this.emitFile({ type: 'asset', fileName: 'docs/index.html', source: page });
    },
  };
}
