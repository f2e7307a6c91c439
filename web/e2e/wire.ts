// Owns a wire between a browser and a server, which can go dead: bytes vanish, and no end of it is told. Must not know
// what is sent over it.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

interface Pair {
  near: Socket;
  far: Socket;
  dead: boolean;
}

export class Wire {
  #server = createServer((near) => this.#join(near));
  #pairs = new Set<Pair>();
  #target: URL;
  url = '';

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  static async to(target: string): Promise<Wire> {
    const wire = new Wire(target);
    await new Promise<void>((ready) => wire.#server.listen(0, '127.0.0.1', ready));
    wire.url = `http://127.0.0.1:${(wire.#server.address() as AddressInfo).port}`;
    return wire;
  }

  /** All connections that are open now go dead. New ones work, as after a change of the network. */
  goDead(): void {
    for (const pair of this.#pairs) pair.dead = true;
  }

  async cut(): Promise<void> {
    for (const { near, far } of this.#pairs) for (const end of [near, far]) end.destroy();
    await new Promise((closed) => this.#server.close(closed));
  }

  #join(near: Socket): void {
    const pair: Pair = { near, far: connect(Number(this.#target.port), '127.0.0.1'), dead: false };
    this.#pairs.add(pair);
    this.#carry(pair, near, pair.far);
    this.#carry(pair, pair.far, near);
  }

  #carry(pair: Pair, from: Socket, to: Socket): void {
    from.on('data', (bytes) => pair.dead || to.write(bytes));
    from.on('error', () => {});
    from.on('close', () => {
      if (pair.dead) return;
      this.#pairs.delete(pair);
      to.destroy();
    });
  }
}
