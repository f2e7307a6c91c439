// Owns the .br and .gz copies beside each built file that compresses. Knows nothing of what the files hold.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

const compressible = /\.(js|css|html|svg|json|webmanifest|txt)$/;
// Below this size (bytes) a compressed copy saves less than its extra headers cost.
const smallest = 512;

export function precompress(): Plugin {
  let folder = 'dist';
  return {
    name: 'parlor-precompress',
    apply: 'build',
    enforce: 'post',
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    async closeBundle() {
      const names = await readdir(folder, { recursive: true });
      await Promise.all(names.filter((name) => compressible.test(name)).map((name) => pack(name)));
    },
  };

  async function pack(name: string): Promise<void> {
    const path = join(folder, name);
    const plain = await readFile(path);
    if (plain.length < smallest) return;
    const [br, gz] = await Promise.all([
      promisify(brotliCompress)(plain, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11 },
      }),
      promisify(gzip)(plain, { level: 9 }),
    ]);
    await Promise.all([writeFile(`${path}.br`, br), writeFile(`${path}.gz`, gz)]);
  }
}
