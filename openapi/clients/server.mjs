// Owns a Parlor server for the example clients: its process, its folder, its port. Must not know who calls it.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const READY_WITHIN_MS = 20_000;

/** Starts the server of `PARLOR_BIN` on a free port with data of its own; `keys` are configuration, as in the environment. */
export async function startServer(keys) {
  const binary = process.env.PARLOR_BIN;
  if (!binary) throw new Error('PARLOR_BIN must name the server binary (an absolute path)');
  const folder = await mkdtemp(join(tmpdir(), 'parlor-clients-'));
  const server = spawn(binary, ['serve', '--data', join(folder, 'data'), '--listen', '127.0.0.1:0'], {
    cwd: folder,
    env: { ...process.env, ...keys },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  process.once('exit', () => server.kill('SIGKILL'));
  let log = '';
  server.stderr.on('data', (text) => (log += text));
  const gone = new Promise((resolve) => server.once('exit', resolve));
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server is not ready:\n${log}`)), READY_WITHIN_MS);
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
    createInterface({ input: server.stdout }).on('line', (line) => {
      const address = /listening on (http:\/\/\S+)/.exec(line)?.[1];
      if (!address) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
  const stop = async () => {
    server.kill('SIGKILL');
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  return { url, stop };
}
