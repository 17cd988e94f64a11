import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { MessageClient } from '../../lib/message/message-client.ts';
import type { MessageConnection } from '../../lib/message/message-connection.ts';
import { MessageServer } from '../../lib/message/message-server.ts';
import { MessageSession } from '../../lib/message/message-session.ts';
import { PendingResult } from '../../lib/message/pending-result.ts';
import { LockServer } from '../../lib/server/lock-server.ts';
import { dialTcp, tcp } from '../../lib/transports/tcp.ts';
import { LOOPBACK } from '../server/running-server.ts';
import { parseAddress } from '../support/parse-address.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { errorOf } from '../support/rejection.ts';

const anything = { parameters: {} };

/** Returns results that cannot be JSON in each of the three ways, and throws in its hooks. */
class CarelessServer extends MessageServer {
  begins: 'well' | 'badly' = 'well';

  constructor(logger: RecordingLogger) {
    super({ commands: { now: anything, soon: anything, later: anything, ping: anything }, logger });
  }

  commandNow(): object {
    return { amount: 1n };
  }

  commandSoon(): Promise<object> {
    return Promise.resolve({ amount: 1n });
  }

  commandLater(): PendingResult {
    const pending = new PendingResult();
    setImmediate(() => pending.settle({ amount: 1n }));
    return pending;
  }

  commandPing(): object {
    return { status: 'ok' };
  }

  protected override createSession(connection: MessageConnection): MessageSession {
    if (this.begins === 'badly') throw new Error('no session today');
    return new MessageSession(connection);
  }

  protected override sessionEnded(): void {
    throw new Error('no good end');
  }
}

describe('MessageServer: programs with mistakes', () => {
  let server: CarelessServer;
  let address: string;

  beforeEach(async () => {
    server = new CarelessServer(new RecordingLogger());
    address = await server.listen(tcp(LOOPBACK));
  });

  afterEach(() => server.close());

  async function connectClient(): Promise<MessageClient> {
    const client = new MessageClient();
    await client.connect(dialTcp(parseAddress(address)));
    return client;
  }

  it('answers with a neutral error when a result cannot be written, whenever it comes', async () => {
    await using client = await connectClient();
    for (const command of ['now', 'soon', 'later']) {
      expect(await errorOf(client.rpc(command)), command).to.have.property('code', 'internal');
    }
    expect(await client.rpc('ping')).to.deep.equal({ status: 'ok' });
    expect(server.counters.failedRequests).to.equal(3);
  });

  it('closes a connection if its session cannot be made, and serves the others', async () => {
    await using client = await connectClient();
    server.begins = 'badly';
    const socket = connect(parseAddress(address));
    await once(socket, 'close');
    expect(await client.rpc('ping')).to.deep.equal({ status: 'ok' });
  });
});

describe('MessageServer: closing in odd moments', () => {
  it('does not wait for a peer that was refused and stays', async () => {
    const limits = { maxMessageBytes: 10, closeTimeoutMs: 2 ** 31 - 1 };
    const server = new LockServer({ limits, logger: new RecordingLogger() });
    const socket = connect({ ...parseAddress(await server.listen(tcp(LOOPBACK))), allowHalfOpen: true });
    socket.write(`{${' '.repeat(20)}`);
    const [reply] = await once(socket, 'data');
    expect(String(reply)).to.include('"status":"limit"');
    await server.close();
    socket.destroy();
  });
});

describe('a result that does not fit into a message', () => {
  it('is refused to the caller and leaves nothing behind', async () => {
    const server = new LockServer();
    const { port } = parseAddress(await server.listen(tcp(LOOPBACK)));
    const client = await LockClient.connect({ port, maxPendingRequests: 2 });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expect(await errorOf(client.rpc('lock', { lockName: 10n }))).to.be.instanceOf(TypeError);
    }
    expect(await (await client.lock('a')).release()).to.equal(true);
    await client.close();
    await server.close();
  });

  it('is shortened in error messages', async () => {
    const server = new LockServer();
    await using client = new MessageClient();
    await client.connect(dialTcp(parseAddress(await server.listen(tcp(LOOPBACK)))));
    const result = await client.rpc('ping', { ['k'.repeat(100_000)]: 1 });
    expect(result.status).to.equal('invalid');
    expect(JSON.stringify(result).length).to.be.lessThan(1_000);
    await client.close();
    await server.close();
  });
});
