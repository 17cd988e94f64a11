import { expect } from 'chai';
import type { LockServerLimits } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { endTest } from '../server/clean-up.ts';
import { portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { frame, PrefixedClient } from './prefixed-client.ts';
import { makeServer } from './transports.ts';

const NESTED = '['.repeat(100_000) + ']'.repeat(100_000);

describe("the limits of pkLockServer's framing", () => {
  let log: RecordingLogger;
  beforeEach(() => {
    log = new RecordingLogger();
  });
  afterEach(endTest);

  async function connectThree(limits: Partial<LockServerLimits> = {}): Promise<PrefixedClient[]> {
    const server = makeServer({ limits, logger: log });
    const port = portOf(await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] })));
    return await Promise.all([1, 2, 3].map(() => PrefixedClient.connect(port)));
  }

  async function connectTwo(limits?: Partial<LockServerLimits>): Promise<[PrefixedClient, PrefixedClient]> {
    const [a, b] = await connectThree(limits);
    return [a as PrefixedClient, b as PrefixedClient];
  }

  it('tell of a frame that announces 4 GB behind another, and close the connection', async () => {
    const [a, b] = await connectTwo();
    await a.take('jobs', 1);
    a.socket.write(Buffer.of(0xff, 0xff, 0xff, 0xff));
    const message = 'a message of 4294967295 bytes is longer than maxMessageBytes, 1048576';
    await a.expect(`{"error":{"status":"limit","message":"${message}"}}`);
    await a.closed;
    await b.take('jobs', 1);
  });

  it('close a connection whose first frame announces 4 GB, which is no protocol of the port', async () => {
    const [a, b] = await connectTwo();
    a.socket.write(Buffer.of(0xff, 0xff, 0xff, 0xff));
    await a.closed;
    expect(a.unreadCount).to.equal(0);
    await b.settle();
  });

  it('admit a frame of exactly the longest length, and not one byte more', async () => {
    const [a] = await connectTwo({ maxMessageBytes: 100 });
    const message = '{"command":"unlock","lockName":"x"}';
    a.send(message + ' '.repeat(100 - message.length));
    await a.expect('{"attempted":"unlock","result":"notFound","lockName":"x"}');
    a.socket.write(Buffer.of(0, 0, 0, 101));
    await a.expect(
      '{"error":{"status":"limit","message":"a message of 101 bytes is longer than maxMessageBytes, 100"}}',
    );
    await a.closed;
  });

  it('execute nothing behind a frame that is too long', async () => {
    const [a, b] = await connectTwo({ maxMessageBytes: 100 });
    const lock = frame('{"command":"lock","parameters":{"lockName":"jobs"},"id":1}');
    a.socket.write(Buffer.concat([Buffer.of(0, 0, 0, 101), Buffer.alloc(101), lock]));
    await a.closed;
    await b.take('jobs', 1);
  });

  it('refuse names that are too long', async () => {
    const [a] = await connectTwo({ maxNameBytes: 4 });
    await a.take('four', 1);
    a.lock('fiver', 2);
    await a.expect('{"id":2,"result":{"status":"limit"}}');
    a.lock('\u00e9\u00e9\u00e9', 3);
    await a.expect('{"id":3,"result":{"status":"limit"}}');
    a.lock(12345, 4);
    await a.expect('{"id":4,"result":{"status":"limit"}}');
  });

  it('refuse more waiting requests of a connection than are admitted, until one is answered', async () => {
    const [a, b] = await connectTwo({ maxPendingRequests: 2 });
    for (const name of ['one', 'two', 'three']) {
      a.lock(name, name);
      await a.expect(`{"id":"${name}","result":{"status":"ok"}}`);
      b.lock(name, name);
    }
    await b.expect('{"id":"three","result":{"status":"limit"}}');
    a.unlock('one');
    await b.expect('{"id":"one","result":{"status":"ok"}}');
    await b.queue('three', 'again');
    a.unlock('three');
    await b.expect('{"id":"again","result":{"status":"ok"}}');
  });

  it('pass over JSON that is nested 100,000 deep', async () => {
    const [a] = await connectTwo();
    a.send(NESTED, `{"command":${NESTED}}`, `{"command":"lock","parameters":${NESTED},"other":1}`);
    await a.settle();
  });

  it('grant nothing to a request whose id is nested too deep to be echoed', async () => {
    const [a, b] = await connectTwo();
    a.send(`{"command":"lock","parameters":{"lockName":"jobs"},"id":${NESTED}}`);
    await a.settle();
    await b.take('jobs', 1);
    expect(log.shown).to.deep.equal([]);
  });

  it('let others go on where a request waits whose id is nested too deep to be echoed', async () => {
    const [a, b, c] = (await connectThree()) as [PrefixedClient, PrefixedClient, PrefixedClient];
    await a.take('jobs', 1);
    b.send(`{"command":"lock","parameters":{"lockName":"jobs"},"id":${NESTED}}`);
    await b.settle();
    await c.queue('jobs', 3);
    await a.release('jobs');
    await c.expect('{"id":3,"result":{"status":"ok"}}');
    expect(log.shown).to.deep.equal([]);
  });

  it('close a connection as usual when the one behind it waits with an id too deep to be echoed', async () => {
    const [a, b, c] = (await connectThree()) as [PrefixedClient, PrefixedClient, PrefixedClient];
    await a.take('jobs', 1);
    b.send(`{"command":"lock","parameters":{"lockName":"jobs"},"id":${NESTED}}`);
    await b.settle();
    await c.queue('jobs', 3);
    a.socket.end();
    await a.closed;
    await c.expect('{"id":3,"result":{"status":"ok"}}');
  });
});
