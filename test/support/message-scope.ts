/** Servers, peers and clients of one test, all closed when it ends. */

import type { NetConnectOpts } from 'node:net';
import { MessageClient, type MessageClientOptions } from '../../lib/message/message-client.ts';
import type { MessageLimits } from '../../lib/message/message-limits.ts';
import { dialTcp, tcp } from '../../lib/transports/tcp.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { LOOPBACK } from '../server/running-server.ts';
import { CounterServer } from './counter-server.ts';
import { parseAddress } from './parse-address.ts';
import { RawServer } from './raw-server.ts';
import { RecordingLogger } from './recording-logger.ts';

class MessageScope {
  logger: RecordingLogger = new RecordingLogger();
  /** Where the last counter server listens. */
  address = '';

  /** Starts a counter server on a port of the system's choice. */
  async startServer(limits: Partial<MessageLimits> = {}): Promise<CounterServer> {
    const server = new CounterServer({ limits: { closeTimeoutMs: 100, ...limits }, logger: this.logger });
    whenTestEnds(() => server.close());
    this.address = await server.listen(tcp({ ...LOOPBACK, allowed: ['127.0.0.1', '::1'] }));
    return server;
  }

  connectPeer(options: Partial<NetConnectOpts> = {}): Promise<RawClient> {
    return RawClient.connect(this.address, options);
  }

  async connectClient(options: MessageClientOptions = {}): Promise<MessageClient> {
    const client = new MessageClient(options);
    whenTestEnds(() => client.close());
    await client.connect(dialTcp(parseAddress(this.address)));
    return client;
  }

  /** A server whose test answers by hand. */
  async startRawServer(): Promise<RawServer> {
    const server = await RawServer.listen();
    whenTestEnds(() => server.close());
    return server;
  }

  /** Connects a client to a server whose test answers by hand; `peer` is the server's end. */
  async connectByHand<Client extends MessageClient>(client: Client): Promise<{ client: Client; peer: RawClient }> {
    const server = await this.startRawServer();
    whenTestEnds(() => client.close());
    await client.connect(server.dial);
    return { client, peer: await server.accept() };
  }
}

/** A scope for the tests of a suite, with a new logger for each; cleans up after each. */
export function messageScope(): MessageScope {
  const scope = new MessageScope();
  beforeEach(() => {
    scope.logger = new RecordingLogger();
  });
  afterEach(endTest);
  return scope;
}
