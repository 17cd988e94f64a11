import { expect } from 'chai';
import { Client } from 'memjs';
import { type MemcachedClient, MemcachedDatastore } from '../../lib/datastores/index.ts';
import { DelayingProxy } from '../client/delaying-proxy.ts';
import { LineClient } from '../foreign/line-client.ts';
import { needs } from '../foreign/system-program.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { errorOf } from '../support/rejection.ts';
import { connectToMemcached, type StoreServer, startMemcached } from './real-stores.ts';

const KEY = 'dlock:jobs';
const DELETE = 0x04;

describe('the datastore Memcached', () => {
  let server: StoreServer;
  let client: MemcachedClient;
  /** Looks at the server from outside, by the text protocol. */
  let observer: LineClient;

  before(function () {
    needs(this, 'memcached');
  });
  beforeEach(async () => {
    server = await startMemcached();
    client = connectToMemcached(server.port);
    observer = await LineClient.connect(server.port);
  });
  afterEach(endTest);

  it('takes a lock with its time to live and a second for the tick of the clock', async () => {
    const datastore = new MemcachedDatastore(client, { ttlSeconds: 100 });
    // The clock may tick between taking a lock and looking at it, but not always.
    await until(async () => {
      expect(await datastore.acquireLock(KEY)).to.equal(true);
      const seconds = await secondsLeft();
      expect(seconds).to.be.within(50, 101);
      await datastore.releaseLock(KEY);
      return seconds === 101;
    });
  });

  it('has a time to live of an hour if none is given', async () => {
    await new MemcachedDatastore(client).acquireLock(KEY);
    expect(await secondsLeft()).to.be.within(3_550, 3_601);
  });

  it('has a time to live of nearly thirty days at most', async () => {
    const ttlSeconds = 2_591_999;
    await new MemcachedDatastore(client, { ttlSeconds }).acquireLock(KEY);
    expect(await secondsLeft()).to.be.within(ttlSeconds - 50, ttlSeconds + 1);
    for (const wrong of [ttlSeconds + 1, 0, -1, 1.5, Number.NaN, '5' as unknown as number]) {
      const make = (): unknown => new MemcachedDatastore(client, { ttlSeconds: wrong });
      const expected = `expected a whole number of seconds from 1 to ${ttlSeconds}`;
      expect(make).to.throw(RangeError, `ttlSeconds is ${wrong}; ${expected}`);
    }
  });

  it('leaves the next holder alone when the lock changes hands during the release', async () => {
    const next = new MemcachedDatastore(connectToMemcached(server.port));
    const late = new MemcachedDatastore(
      pausingBefore(DELETE, async () => {
        expect(await ask(`delete ${KEY}`)).to.equal('DELETED');
        expect(await next.acquireLock(KEY)).to.equal(true);
      }),
    );
    await late.acquireLock(KEY);
    expect(await late.releaseLock(KEY)).to.equal(false);
    expect(await exists()).to.equal(true);
    expect(await next.releaseLock(KEY)).to.equal(true);
  });

  it('has the lock when only the answer was lost', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const datastore = new MemcachedDatastore(connectToMemcached(proxy.port));
    proxy.delay('toClient');
    const acquired = datastore.acquireLock(KEY);
    await proxy.holds('toClient');
    proxy.discard('toClient');
    proxy.reset();
    expect(await acquired).to.equal(true);
    expect(await new MemcachedDatastore(client).acquireLock(KEY)).to.equal(false);
    expect(await datastore.releaseLock(KEY)).to.equal(true);
    expect(await exists()).to.equal(false);
  });

  it('rejects when the connection ends without an answer', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const datastore = new MemcachedDatastore(connectToMemcached(proxy.port), { answerTimeoutMs: 50 });
    proxy.delay('toClient');
    const failed = errorOf(datastore.acquireLock(KEY));
    await proxy.holds('toClient');
    proxy.cut();
    expect((await failed).message).to.equal('memcached did not answer within 50 ms');
  });

  it("rejects with the caller's line in the stack", async () => {
    const datastore = new MemcachedDatastore(client);
    await datastore.acquireLock(KEY);
    await server.program.kill();
    const acquire = async function acquiringCaller(): Promise<void> {
      await datastore.acquireLock('dlock:other');
    };
    const release = async function releasingCaller(): Promise<void> {
      await datastore.releaseLock(KEY);
    };
    expect((await errorOf(acquire())).stack).to.match(/at async acquiringCaller /);
    expect((await errorOf(release())).stack).to.match(/at async releasingCaller /);
  });

  it('rejects when the server is gone', async () => {
    const datastore = new MemcachedDatastore(client);
    await datastore.acquireLock(KEY);
    await server.program.kill();
    expect(await errorOf(datastore.acquireLock('dlock:other'))).to.have.property('code', 'ECONNREFUSED');
    expect(await errorOf(datastore.releaseLock(KEY))).to.have.property('code', 'ECONNREFUSED');
  });

  it('rejects when the server answers with an error', async () => {
    const { message } = await errorOf(new MemcachedDatastore(client).acquireLock(''));
    expect(message).to.match(/^memcached answered add with status \d+: /);
  });

  it('takes ids that Memcached takes as keys, and rejects others', async () => {
    const datastore = new MemcachedDatastore(client);
    const longest = 'é'.repeat(125);
    expect(await datastore.acquireLock(longest)).to.equal(true);
    expect(await datastore.releaseLock(longest)).to.equal(true);
    const expected = 'expected at most 250 bytes of UTF-8 without white space or control characters';
    for (const lockId of [`${longest}e`, 'two words', 'two\nlines', '\u0000', '\u007f']) {
      const error = await errorOf(datastore.acquireLock(lockId));
      expect(error).to.be.instanceOf(RangeError);
      expect(error.message).to.equal(`lockId is ${JSON.stringify(lockId)}; ${expected}`);
    }
  });

  it('works with a serializer of the application', async () => {
    const serializer = {
      serialize: (_operation: number, value: string, extras: Buffer) => ({ value: JSON.stringify(value), extras }),
      deserialize: (_operation: number, value: Buffer | null, extras: Buffer) => ({ value: String(value), extras }),
    };
    const custom = Client.create<string, string>(`127.0.0.1:${server.port}`, { serializer });
    const datastore = new MemcachedDatastore(custom);
    expect(await datastore.acquireLock(KEY)).to.equal(true);
    expect(await datastore.releaseLock(KEY)).to.equal(true);
    custom.close();
  });

  it('rejects a client that would fail over to another server', () => {
    const failing = Client.create(`127.0.0.1:${server.port}`, { failover: true });
    expect(() => new MemcachedDatastore(failing)).to.throw(TypeError, 'failover is true; expected ');
  });

  it('rejects a wrong time-out', () => {
    for (const answerTimeoutMs of [0, -1, Number.NaN, 2 ** 31]) {
      const make = (): unknown => new MemcachedDatastore(client, { answerTimeoutMs });
      expect(make).to.throw(RangeError, `answerTimeoutMs is ${answerTimeoutMs}; expected a number above 0, at most `);
    }
  });

  /** The server's answer to a line, without its CRLF. */
  async function ask(line: string): Promise<string> {
    return (await observer.ask(line)).trimEnd();
  }

  async function exists(): Promise<boolean> {
    return (await ask(`mg ${KEY}`)) === 'HD';
  }

  /** The rest of the lock's time to live; -1 when it has none. */
  async function secondsLeft(): Promise<number> {
    const [, seconds] = /^HD t(-?\d+)$/.exec(await ask(`mg ${KEY} t`)) ?? [];
    return Number(seconds);
  }

  /** The client, with an action before each request of one operation. */
  function pausingBefore(operation: number, action: () => Promise<void>): MemcachedClient {
    return {
      get seq(): number {
        return client.seq;
      },
      options: client.options,
      incrSeq: () => client.incrSeq(),
      perform(key, request, seq, callback): void {
        const send = (): void => client.perform(key, request, seq, callback);
        if (request[1] !== operation) send();
        else action().then(send, (error: Error) => callback(error, undefined as never));
      },
    };
  }
});
