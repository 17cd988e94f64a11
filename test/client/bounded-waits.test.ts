import { once } from 'node:events';
import { expect } from 'chai';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockLostError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { MessageClient } from '../../lib/message/message-client.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { endTest } from '../server/clean-up.ts';
import { startServer } from '../server/running-server.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { emitted, lazyClient } from './client-scene.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { listen } from './plain-listener.ts';

const SHORT_MS = 150;

interface StoppableServer {
  readonly client: LockClient;
  /** As when a debugger stops the server: its sockets stay open, and nothing is answered. */
  stop(): void;
  kill(): void;
}

async function startStoppableServer(options: LockClientOptions = {}): Promise<StoppableServer> {
  const proxy = await DelayingProxy.start((await startServer()).port);
  const client = lazyClient({ port: proxy.port, requestTimeoutMs: SHORT_MS, ...options });
  await client.connect();
  const kill = (): void => {
    proxy.refuse();
    proxy.cut();
  };
  return { client, stop: () => proxy.fallSilent(), kill };
}

/** A server that accepts connections, but never sends or closes anything. */
function listenMutely(): Promise<number> {
  return listen((socket) => socket.resume());
}

/** Without its own time limit, each of these would wait for ever, or far longer than the test may take. */
describe('with a server that has stopped answering', function () {
  this.timeout(5_000);
  afterEach(endTest);

  it('release() resolves to false and gives up the connection', async () => {
    const { client, stop } = await startStoppableServer({ reconnect: false });
    const [lock, other] = [await client.lock('a'), await client.lock('b')];
    stop();
    const lost = once(other.signal, 'abort');
    expect(await lock.release()).to.equal(false);
    await lost;
    expect(other.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'connectionLost' });
  });

  it('releasing a set, or a handle by `await using`, ends', async () => {
    const { client, stop } = await startStoppableServer();
    const set = await client.lockAll(['a', 'b']);
    {
      await using lock = await client.lock('c');
      expect(lock.isHeld).to.equal(true);
      stop();
    }
    expect(await set.release()).to.equal(false);
  });

  it('locked() rejects with a loss that carries the result', async () => {
    const { client, stop } = await startStoppableServer();
    const run = (): string => {
      stop();
      return 'done';
    };
    await rejects(client.locked('a', run), LockLostError, { code: 'connectionLost', result: 'done' });
  });

  it('a web lock rejects with AbortError', async () => {
    const { client, stop } = await startStoppableServer();
    expect(await rejection(client.locks.request('a', stop))).to.include({ name: 'AbortError' });
  });

  it('the loop over terms can be left', async () => {
    const { client, stop } = await startStoppableServer();
    for await (const term of client.terms('leader')) {
      expect(term.isHeld).to.equal(true);
      stop();
      break;
    }
  });

  it('a hold with an expired lease needs no answer', async () => {
    const { client, stop, kill } = await startStoppableServer({ requestTimeoutMs: Number.POSITIVE_INFINITY });
    const lock = await client.lock('a', { leaseMs: SHORT_MS });
    stop();
    await once(lock.signal, 'abort');
    expect(await lock.release()).to.equal(false);
    expect((lock.signal.reason as LockLostError).code).to.equal('leaseOver');
    expect(client.state).to.equal('connected');
    kill();
  });

  it('a release ends with the lease and keeps the connection for the other holds', async () => {
    const { client, stop, kill } = await startStoppableServer({ requestTimeoutMs: Number.POSITIVE_INFINITY });
    const [leased, other] = [await client.lock('a', { leaseMs: SHORT_MS }), await client.lock('b')];
    stop();
    expect(await leased.release()).to.equal(false);
    expect(other.isHeld).to.equal(true);
    kill();
  });

  it('close() ends, even while it waits for holds to be released', async () => {
    const { client, stop } = await startStoppableServer();
    await client.lock('a');
    stop();
    await client.close({ drainMs: SHORT_MS });
    expect(client.state).to.equal('closed');
  });

  it('a call reports that no server could be asked, never that somebody else has the lock', async () => {
    const { client, stop } = await startStoppableServer();
    stop();
    const calls = [client.lock('a', { waitMs: SHORT_MS }), client.tryLock('b'), client.lockAll(['c'], { waitMs: 0 })];
    await Promise.all(calls.map((call: Promise<unknown>) => rejects(call, LockUnreachableError)));
  });
});

describe('with a server that accepts and says nothing', function () {
  this.timeout(5_000);
  afterEach(endTest);

  it('connect() fails after connectTimeoutMs, over TCP, TLS and WebSocket', async () => {
    const port = await listenMutely();
    const places = [{ port }, { port, tls: {} }, { url: `ws://127.0.0.1:${port}` }];
    for (const place of places) {
      const error = await rejects(LockClient.connect({ ...place, connectTimeoutMs: SHORT_MS }), LockUnreachableError);
      expect(error.cause).to.include({ code: 'timeout' });
    }
  });

  it('connect() takes no longer when it has to wait between attempts', async () => {
    const server = await startServer();
    const reconnect = { minDelayMs: 1e9, maxDelayMs: 1e9 };
    const client = await server.client({ connectTimeoutMs: SHORT_MS, reconnect });
    const lost = emitted(client, 'disconnect');
    await server.server.close();
    await lost;
    await rejects(client.connect(), LockUnreachableError);
  });

  it('a call without a connection fails as unreachable, with the last failure as the cause', async () => {
    const client = lazyClient({ port: await listenMutely(), connectTimeoutMs: SHORT_MS / 3 });
    const error = await rejects(client.lock('a', { waitMs: SHORT_MS }), LockUnreachableError, { code: 'unreachable' });
    expect(error.cause).to.be.instanceOf(Error);
    expect(error.message).to.include((error.cause as Error).message);
  });

  it('a message client closes within its requestTimeoutMs', async () => {
    const client = new MessageClient({ requestTimeoutMs: SHORT_MS });
    await client.connect(dialTcp({ host: '127.0.0.1', port: await listenMutely() }));
    expect(await rejection(client.rpc('ping'))).to.include({ code: 'timeout' });
    await client.close();
    expect(client.state).to.equal('closed');
  });
});

describe('a waiting call', () => {
  afterEach(endTest);

  it('survives an orderly stop of the server, and keeps its place among the waits of its client', async () => {
    const first = await startServer();
    const holder = await first.client({ reconnect: false });
    await holder.lock('jobs');
    const client = lazyClient({ port: first.port, reconnect: { minDelayMs: 1, maxDelayMs: 20 } });
    const granted: number[] = [];
    const indexes = [...Array(8).keys()];
    const waitMs = Number.POSITIVE_INFINITY;
    const waits = indexes.map((index) => client.locked('jobs', () => granted.push(index), { waitMs }));
    const webLock = client.locks.request('jobs', () => granted.push(8));
    while ((await holder.inspect('jobs')).waiterCount < 9);
    await first.server.close();
    await startServer({}, undefined, {}, first.port);
    await Promise.all([...waits, webLock]);
    expect(granted).to.deep.equal([...indexes, 8]);
  });
});
