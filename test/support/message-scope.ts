/** Servers, peers and clients of one test, all gone when it is over. */

import type { NetConnectOpts } from 'node:net';
import { MessageClient, type MessageClientOptions } from '../../lib/message/message-client.ts';
import type { MessageLimits } from '../../lib/message/message-limits.ts';
import { dialTcp, tcp } from '../../lib/transports/tcp.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { CounterServer } from './counter-server.ts';
import { parseAddress } from './parse-address.ts';
import { RawServer } from './raw-server.ts';
import { RecordingLogger } from './recording-logger.ts';

export class MessageScope {
  /** What the counter servers of this test logged. */
  logger: RecordingLogger = new RecordingLogger();
  /** Where the last counter server listens. */
  address = '';

  /** Starts a counter server on a port of the system's choice. */
  async startServer(limits: Partial<MessageLimits> = {}): Promise<CounterServer> {
    const server = new CounterServer({ limits: { closeTimeoutMs: 100, ...limits }, logger: this.logger });
    whenTestEnds(() => server.close());
    this.address = await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1', '::1'] }));
    return server;
  }

  /** A plain socket to the counter server. */
  connectPeer(options: Partial<NetConnectOpts> = {}): Promise<RawClient> {
    return RawClient.connect(this.address, options);
  }

  /** A client of the counter server. */
  async connectClient(options: MessageClientOptions = {}): Promise<MessageClient> {
    const client = new MessageClient(options);
    whenTestEnds(() => client.close());
    await client.connect(dialTcp(parseAddress(this.address)));
    return client;
  }

  /** A server that a test answers for by hand. */
  async startRawServer(): Promise<RawServer> {
    const server = await RawServer.listen();
    whenTestEnds(() => server.close());
    return server;
  }
}

/** A scope for the tests of a suite, with a logger for each; clean-up is done behind each test. */
export function messageScope(): MessageScope {
  const scope = new MessageScope();
  beforeEach(() => {
    scope.logger = new RecordingLogger();
  });
  afterEach(endTest);
  return scope;
}
