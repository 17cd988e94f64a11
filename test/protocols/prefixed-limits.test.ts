import { expect } from 'chai';
import type { LockServerLimits } from '../../lib/server/lock-server-limits.ts';
import { endTest } from '../server/clean-up.ts';
import { listenOnTcp, makeServer } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { frame, PrefixedClient } from './prefixed-client.ts';

/** As deep as `maxMessageValues` allows. */
const NESTED = '['.repeat(20_000) + ']'.repeat(20_000);

describe("the limits of pkLockServer's framing", () => {
  let log: RecordingLogger;
  beforeEach(() => {
    log = new RecordingLogger();
  });
  afterEach(endTest);

  async function connectThree(
    limits: Partial<LockServerLimits> = {},
  ): Promise<[PrefixedClient, PrefixedClient, PrefixedClient]> {
    const port = await listenOnTcp(makeServer({ limits, logger: log }));
    const connect = (): Promise<PrefixedClient> => PrefixedClient.connect(port);
    return [await connect(), await connect(), await connect()];
  }

  it('report a second frame that announces 4 GB, and close the connection', async () => {
    const [a, b] = await connectThree();
    await a.take('jobs', 1);
    a.socket.write(Buffer.of(0xff, 0xff, 0xff, 0xff));
    const message = 'a message of 4294967295 bytes is longer than maxMessageBytes, 1048576';
    await a.expect(`{"error":{"status":"limit","message":"${message}"}}`);
    await a.closed;
    await b.take('jobs', 1);
  });

  it('close a connection when its first frame announces 4 GB, since that is no known protocol', async () => {
    const [a, b] = await connectThree();
    a.socket.write(Buffer.of(0xff, 0xff, 0xff, 0xff));
    await a.closed;
    expect(a.unreadCount).to.equal(0);
    await b.settle();
  });

  it('allow a frame of exactly the longest length, and not one byte more', async () => {
    const [a] = await connectThree({ maxMessageBytes: 100 });
    const message = '{"command":"unlock","lockName":"x"}';
    a.send(message + ' '.repeat(100 - message.length));
    await a.expect('{"attempted":"unlock","result":"notFound","lockName":"x"}');
    a.socket.write(Buffer.of(0, 0, 0, 101));
    await a.expect(
      '{"error":{"status":"limit","message":"a message of 101 bytes is longer than maxMessageBytes, 100"}}',
    );
    await a.closed;
  });

  it('execute nothing after a frame that is too long', async () => {
    const [a, b] = await connectThree({ maxMessageBytes: 100 });
    const lock = frame('{"command":"lock","parameters":{"lockName":"jobs"},"id":1}');
    a.socket.write(Buffer.concat([Buffer.of(0, 0, 0, 101), Buffer.alloc(101), lock]));
    await a.closed;
    await b.take('jobs', 1);
  });

  it('refuse names that are too long', async () => {
    const [a] = await connectThree({ maxNameBytes: 4 });
    await a.take('four', 1);
    a.lock('fiver', 2);
    await a.expect('{"id":2,"result":{"status":"limit"}}');
    a.lock('\u00e9\u00e9\u00e9', 3);
    await a.expect('{"id":3,"result":{"status":"limit"}}');
    a.lock(12345, 4);
    await a.expect('{"id":4,"result":{"status":"limit"}}');
  });

  it('refuse ids that are too long, of any kind', async () => {
    const [a, b] = await connectThree();
    const long = ['x'.repeat(129), Array(65).fill(0), { long: 'x'.repeat(120) }];
    for (const id of long) {
      a.lock('jobs', id);
      await a.expect(`{"id":${JSON.stringify(id)},"result":{"status":"invalid"}}`);
    }
    a.lock('jobs', 'x'.repeat(128));
    await a.expect(`{"id":"${'x'.repeat(128)}","result":{"status":"ok"}}`);
    await b.queue('jobs', Array(63).fill(0));
  });

  it('refuse waiting requests of a connection above maxPendingRequests, until one is answered', async () => {
    const [a, b] = await connectThree({ maxPendingRequests: 2 });
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

  it('ignore a message above maxMessageValues, count and log it, and go on', async () => {
    const server = makeServer({ limits: { maxMessageValues: 20 }, logger: log });
    const client = await PrefixedClient.connect(await listenOnTcp(server));
    await client.take('jobs', 1);
    client.send(`{"command":"lock","parameters":{"lockName":"jobs"},"id":[${'0,'.repeat(20)}0]}`);
    await client.settle();
    expect(refusalsOf(server.counters)).to.deep.equal({ maxMessageValues: 1 });
    expect(log.warnings).to.deep.equal([
      'refused a command from 127.0.0.1: it would pass maxMessageValues, 20; to allow it, raise "limits.maxMessageValues" in the settings',
    ]);
  });

  it('ignore JSON that is nested 20,000 deep', async () => {
    const [a] = await connectThree();
    a.send(NESTED, `{"command":${NESTED}}`, `{"command":"lock","parameters":${NESTED},"other":1}`);
    await a.settle();
  });

  it('grant nothing to a request if its id is nested too deep to be echoed', async () => {
    const [a, b] = await connectThree();
    a.send(`{"command":"lock","parameters":{"lockName":"jobs"},"id":${NESTED}}`);
    await a.settle();
    await b.take('jobs', 1);
    expect(log.shown).to.deep.equal([]);
  });

  for (const [how, free] of [
    ['releases the lock', (holder: PrefixedClient) => holder.release('jobs')],
    ['closes its connection', (holder: PrefixedClient) => holder.leave()],
  ] as const) {
    it(`let others go on when the holder ${how} and the next id is nested too deep to be echoed`, async () => {
      const [holder, deep, last] = await connectThree();
      await holder.take('jobs', 1);
      deep.send(`{"command":"lock","parameters":{"lockName":"jobs"},"id":${NESTED}}`);
      await deep.settle();
      await last.queue('jobs', 3);
      await free(holder);
      await last.expect('{"id":3,"result":{"status":"ok"}}');
      expect(log.shown).to.deep.equal([]);
    });
  }
});
