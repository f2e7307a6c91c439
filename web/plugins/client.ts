// Owns that the generated functions ask the server by src/api/client.ts, a tenth of the client that is generated with
// them. Knows nothing of either.
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const own = fileURLToPath(new URL('../src/api/client.ts', import.meta.url));

export function ownClient(): Plugin {
  return {
    name: 'parlor-client',
    enforce: 'pre',
    resolveId(id, importer) {
      return id === './client.gen' && importer?.endsWith('/generated/sdk.gen.ts') ? own : undefined;
    },
  };
}
