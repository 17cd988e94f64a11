/** Servers, peers and clients of one test, all gone when it is over. */

import type { NetConnectOpts } from 'node:net';
import { MessageClient, type MessageClientOptions } from '../../lib/message/message-client.ts';
import type { MessageLimits } from '../../lib/message/message-limits.ts';

import { dialTcp, tcp } from '../../lib/transports/tcp.ts';
import { CounterServer } from './counter-server.ts';
import { parseAddress } from './parse-address.ts';
import { RawPeer } from './raw-peer.ts';
import { RawServer } from './raw-server.ts';
import { RecordingLogger } from './recording-logger.ts';
import './unhandled-rejections.ts';

export class MessageScope {
  readonly logger: RecordingLogger = new RecordingLogger();
  /** Where the last counter server listens. */
  address = '';
  #cleanups: (() => unknown)[] = [];

  /** Starts a counter server on a port of the system's choice. */
  async startServer(limits: Partial<MessageLimits> = {}): Promise<CounterServer> {
    const server = new CounterServer({ limits: { closeTimeoutMs: 100, ...limits }, logger: this.logger });
    this.atEnd(() => server.close());
    this.address = await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1', '::1'] }));
    return server;
  }

  /** A plain socket to the counter server. */
  async connectPeer(options: Partial<NetConnectOpts> = {}): Promise<RawPeer> {
    const peer = await RawPeer.connect(this.address, options);
    this.atEnd(() => {
      peer.socket.destroy();
    });
    return peer;
  }

  /** A client of the counter server. */
  async connectClient(options: MessageClientOptions = {}): Promise<MessageClient> {
    const client = new MessageClient(options);
    this.atEnd(() => client.close());
    await client.connect(dialTcp(parseAddress(this.address)));
    return client;
  }

  /** A server that a test answers for by hand. */
  async startRawServer(): Promise<RawServer> {
    const server = await RawServer.listen();
    this.atEnd(() => server.close());
    return server;
  }

  atEnd(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Ends everything, the last first. */
  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}
