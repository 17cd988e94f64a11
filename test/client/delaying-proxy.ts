/** A TCP proxy that can hold back the bytes of one direction, be slow, fall silent, and cut its connections. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { whenTestEnds } from '../server/clean-up.ts';

export type Direction = 'toServer' | 'toClient';

/** One direction through the proxy, with the bytes held back on it. */
class Lane {
  isDelayed = false;
  lagMs = 0;
  readonly #held: (() => void)[] = [];
  readonly #whenHeld: (() => void)[] = [];

  /** Acts now, or once the lane is free again. */
  pass(forward: () => void): void {
    if (!this.isDelayed) {
      if (this.lagMs === 0) forward();
      else setTimeout(forward, this.lagMs).unref();
      return;
    }
    this.#held.push(forward);
    for (const tell of this.#whenHeld.splice(0)) tell();
  }

  free(): void {
    this.isDelayed = false;
    for (const forward of this.#held.splice(0)) forward();
  }

  /** Bytes held back never arrive. */
  discard(): void {
    this.isDelayed = false;
    this.#held.length = 0;
  }

  /** Resolves as soon as something is held back. */
  holds(): Promise<void> {
    if (this.#held.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenHeld.push(resolve);
    });
  }
}

/** Closed when the test ends. */
export class DelayingProxy {
  /** Everything that clients sent, whether held back or not. */
  sent = '';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** How many connections of clients are open. */
  clientCount = 0;
  /** Where the next connections go. */
  serverPort: number;
  #isRefusing = false;
  #isSilent = false;
  readonly #lanes: Readonly<Record<Direction, Lane>> = { toServer: new Lane(), toClient: new Lane() };

  static async start(serverPort: number): Promise<DelayingProxy> {
    const proxy = new DelayingProxy(serverPort);
    whenTestEnds(() => proxy.#close());
    await new Promise<void>((resolve) => {
      proxy.#server.listen({ host: '127.0.0.1', port: 0 }, resolve);
    });
    return proxy;
  }

  private constructor(serverPort: number) {
    this.serverPort = serverPort;
    this.#server = createServer({ noDelay: true }, (client) => {
      if (this.#isRefusing) {
        client.destroy();
        return;
      }
      if (this.#isSilent) {
        this.#ignore(client);
        return;
      }
      const server = connect({ host: '127.0.0.1', port: this.serverPort, noDelay: true });
      this.clientCount += 1;
      client.on('close', () => {
        this.clientCount -= 1;
      });
      client.on('data', (bytes) => {
        this.sent += bytes;
      });
      this.#forward(client, server, this.#lanes.toServer);
      this.#forward(server, client, this.#lanes.toClient);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Holds back everything in that direction from now on. */
  delay(direction: Direction): void {
    this.#lanes[direction].isDelayed = true;
  }

  /** What comes from now on takes so long, in each direction. */
  slowDown(lagMs: number): void {
    for (const lane of Object.values(this.#lanes)) lane.lagMs = lagMs;
  }

  /** Resolves as soon as something is held back. */
  holds(direction: Direction): Promise<void> {
    return this.#lanes[direction].holds();
  }

  /** Forwards the bytes held back, and holds back no more. */
  free(direction: Direction): void {
    this.#lanes[direction].free();
  }

  /** Drops the bytes held back, and holds back no more. */
  discard(direction: Direction): void {
    this.#lanes[direction].discard();
  }

  /** Cuts new connections at once from now on. */
  refuse(): void {
    this.#isRefusing = true;
  }

  /** Lets new connections through again. */
  admit(): void {
    this.#isRefusing = false;
  }

  /** From now on it passes nothing on, and tells no side that the other is gone. Connections are accepted all the same. */
  fallSilent(): void {
    this.#isSilent = true;
  }

  /** Resolves when the next connection comes, even if it is not let through. */
  nextConnection(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.once('connection', () => resolve());
    });
  }

  /** Closes all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends all connections by a reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #forward(from: Socket, to: Socket, lane: Lane): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => {
      if (!this.#isSilent) lane.pass(() => to.write(bytes));
    });
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      if (!this.#isSilent) to.destroy();
    });
  }

  #ignore(client: Socket): void {
    this.#sockets.add(client);
    client.resume();
    client.on('error', () => {});
    client.on('close', () => this.#sockets.delete(client));
  }

  async #close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
