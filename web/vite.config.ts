// Owns how the client is built, tested, and served during development. Must not know what the client does.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { ownClient } from './plugins/client.ts';
import { emojiList } from './plugins/emoji.ts';
import { explorer } from './plugins/explorer.ts';
import { markedLexer } from './plugins/marked.ts';
import { precompress } from './plugins/precompress.ts';

const server = process.env.PARLOR_URL ?? 'http://127.0.0.1:8080';

// The server compares Origin with its own address, which differs from the page's address behind this proxy.
const toServer = {
  target: server,
  changeOrigin: true,
  headers: { origin: new URL(server).origin },
};

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), emojiList(), markedLexer(), explorer(), ownClient(), precompress()],
  // Without this, tests would load Svelte's server build, which is not reactive.
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // What every page needs is one file, and so is what many need: small files compress badly, and each is a request.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'base', tags: ['$initial'] },
            { name: 'shared', test: /text\/(match|password)|components\/(Menu|Skeleton)/ },
          ],
        },
      },
    },
  },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: { '/v1': toServer, '/openapi.json': toServer, '/docs': toServer },
  },
  test: { include: ['src/**/*.test.ts'] },
}));
