/** A proxy that can withhold what either side sends: so a request can be lost, late, or carried out without an answer. */

import { type AddressInfo, createServer, type Server, Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class HoldingProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** Requests that did not go on, and where to. */
  #held: { readonly server: Socket; readonly bytes: Buffer }[] = [];
  /** Connections on which nothing comes through any more. */
  readonly #silent = new Set<Socket>();
  #holds: 'nothing' | 'requests' | 'answers' = 'nothing';
  #whenHeld: () => void = () => {};

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      const server = new Socket().connect(targetPort, '127.0.0.1');
      const pair = { client, server };
      this.#pairs.add(pair);
      client.on('error', () => {});
      server.on('error', () => {});
      server.on('close', () => client.destroy());
      client.on('data', (bytes) => {
        if (this.#silent.has(client)) return;
        if (this.#holds === 'requests') this.#held.push({ server, bytes });
        else server.write(bytes);
        if (this.#holds === 'requests') this.#whenHeld();
      });
      server.on('data', (bytes) => {
        if (this.#holds === 'answers') this.#whenHeld();
        else client.write(bytes);
      });
    });
  }

  static async start(targetPort: number): Promise<HoldingProxy> {
    const proxy = new HoldingProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on requests wait here, or answers are lost. Resolves when the first of them has come. */
  hold(what: 'requests' | 'answers'): Promise<void> {
    this.#holds = what;
    return new Promise((resolve) => {
      this.#whenHeld = resolve;
    });
  }

  /** The connections of now stay open, and nothing comes through. New ones work. */
  silence(): void {
    for (const { client } of this.#pairs) this.#silent.add(client);
  }

  /** Ends the connections of the clients, and lets new ones pass. The connections to the server stay. */
  cutClients(): void {
    this.#holds = 'nothing';
    for (const { client } of this.#pairs) client.destroy();
  }

  /** Sends the requests that waited. Resolves when the server has answered. */
  async release(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    const answers = held.map(({ server }) => new Promise((resolve) => server.once('data', resolve)));
    for (const { server, bytes } of held) server.write(bytes);
    await Promise.all(answers);
  }

  close(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    this.#server.close();
  }
}
