/** A server without a protocol: a test accepts its connections one by one and answers by hand. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { Inbox } from '../server/inbox.ts';
import { RawClient } from '../server/raw-client.ts';

export class RawServer {
  readonly #server: Server;
  readonly #accepted = new Inbox<RawClient>();
  readonly #all: RawClient[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      const peer = new RawClient(socket);
      this.#accepted.push(peer);
      this.#all.push(peer);
    });
  }

  static async listen(): Promise<RawServer> {
    const server = createServer();
    const raw = new RawServer(server);
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return raw;
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the server does not listen');
    return address.port;
  }

  get dial(): ReturnType<typeof dialTcp> {
    return dialTcp({ host: '127.0.0.1', port: this.port });
  }

  accept(): Promise<RawClient> {
    return this.#accepted.next();
  }

  async close(): Promise<void> {
    for (const peer of this.#all) peer.socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
