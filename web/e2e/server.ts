// Owns a running Parlor server for tests: its process, its folder, its port. Must not know what is tested.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const readyWithin = 20_000;
let ports = 0;

/** A free port below those that the kernel gives to connections: none of a browser's takes it while the server restarts. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + ((process.pid * 37 + 7 * ports++) % 10_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

export class Server {
  #folder: string;
  #env: Record<string, string>;
  #process: ChildProcess | null = null;
  #log = '';
  url = '';

  private constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder;
    this.#env = env;
  }

  /** Starts a server on a free port with a folder of its own. Limits are lifted unless `env` says otherwise. */
  static async start(env: Record<string, string> = {}): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'parlor-e2e-'));
    const server = new Server(folder, { PARLOR_LIMITS__ENABLED: 'false', ...env });
    await server.#run(`127.0.0.1:${await freePort()}`);
    return server;
  }

  /** How often the server has answered this operation with this status, counted in its log. */
  answered(operation: string, status = 200): number {
    return this.#log
      .split('\n')
      .filter((line) => line.includes(`operation="${operation}" status=${status}`)).length;
  }

  /** What it wrote to standard error so far, over all its starts. */
  log(): string {
    return this.#log;
  }

  /** SIGKILL: the server gets no chance to say or save anything. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts again with the same folder on the same port. */
  async restart(): Promise<void> {
    await this.#run(new URL(this.url).host);
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #run(listen: string): Promise<void> {
    const binary = process.env.PARLOR_BIN;
    if (!binary) throw new Error('PARLOR_BIN must name the server binary (absolute path)');
    const child = spawn(
      binary,
      ['serve', '--data', join(this.#folder, 'data'), '--listen', listen],
      {
        cwd: this.#folder,
        env: { ...process.env, ...this.#env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#process = child;
    child.stderr!.on('data', (text) => (this.#log += String(text)));
    this.url = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`server not ready:\n${this.#log}`)),
        readyWithin,
      );
      child.once('exit', (code) => reject(new Error(`server ended with ${code}:\n${this.#log}`)));
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const address = /listening on (http:\/\/\S+)/.exec(line)?.[1];
        if (!address) return;
        clearTimeout(timer);
        resolve(address);
      });
    });
  }
}
