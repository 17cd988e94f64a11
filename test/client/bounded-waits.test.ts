import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockDrainingError, type LockError, LockLostError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { MessageClient } from '../../lib/message/message-client.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { startServerProgram } from '../server/running-program.ts';
import { startServer } from '../server/running-server.ts';
import { rejection } from './rejection.ts';

const SHORT_MS = 150;

interface StoppableServer {
  readonly client: LockClient;
  /** Stops the server as a debugger does: its sockets stay open, and nothing is answered. */
  stop(): void;
  kill(): Promise<void>;
}

async function startStoppableServer(options: LockClientOptions = {}): Promise<StoppableServer> {
  const { program, port } = await startServerProgram();
  const client = await LockClient.connect({ port, requestTimeoutMs: SHORT_MS, ...options });
  whenTestEnds(() => client.close());
  return { client, stop: () => program.signal('SIGSTOP'), kill: () => program.kill() };
}

/** A server that accepts connections, but never sends or closes anything. */
async function listenMutely(): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  whenTestEnds(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { readonly port: number }).port;
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
    const error = await rejection(client.locked('a', run));
    expect(error).to.be.instanceOf(LockLostError).and.include({ code: 'connectionLost', result: 'done' });
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
    await kill();
  });

  it('a release ends with the lease and keeps the connection for the other holds', async () => {
    const { client, stop, kill } = await startStoppableServer({ requestTimeoutMs: Number.POSITIVE_INFINITY });
    const [leased, other] = [await client.lock('a', { leaseMs: SHORT_MS }), await client.lock('b')];
    stop();
    expect(await leased.release()).to.equal(false);
    expect(other.isHeld).to.equal(true);
    await kill();
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
    for (const error of await Promise.all(calls.map((call) => rejection(call)))) {
      expect(error).to.be.instanceOf(LockUnreachableError);
    }
  });
});

describe('with a server that accepts and says nothing', function () {
  this.timeout(5_000);
  afterEach(endTest);

  it('connect() fails after connectTimeoutMs, over TCP, TLS and WebSocket', async () => {
    const port = await listenMutely();
    const places = [{ port }, { port, tls: {} }, { url: `ws://127.0.0.1:${port}` }];
    for (const place of places) {
      const error = await rejection(LockClient.connect({ ...place, connectTimeoutMs: SHORT_MS }));
      expect(error).to.be.instanceOf(LockUnreachableError);
      expect((error as Error).cause).to.include({ code: 'timeout' });
    }
  });

  it('connect() takes no longer when it has to wait between attempts', async () => {
    const server = await startServer();
    const reconnect = { minDelayMs: 1e9, maxDelayMs: 1e9 };
    const client = await server.client({ connectTimeoutMs: SHORT_MS, reconnect });
    const lost = new Promise<unknown>((resolve) => client.once('disconnect', resolve));
    await server.server.close();
    await lost;
    expect(await rejection(client.connect())).to.be.instanceOf(LockUnreachableError);
  });

  it('a call without a connection fails as unreachable, with the last failure as the cause', async () => {
    const client = new LockClient({ port: await listenMutely(), connectTimeoutMs: SHORT_MS / 3 });
    whenTestEnds(() => client.close());
    const error = (await rejection(client.lock('a', { waitMs: SHORT_MS }))) as LockUnreachableError;
    expect(error).to.be.instanceOf(LockUnreachableError).and.include({ code: 'unreachable' });
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

/** If the client kept retrying these, each would wait 20 seconds and then report a time-out. */
describe('a call that can never succeed fails at once', function () {
  this.timeout(5_000);
  const WAIT = { waitMs: 20_000 };
  afterEach(endTest);

  async function failure(options: LockClientOptions): Promise<LockError> {
    const client = new LockClient(options);
    whenTestEnds(() => client.close());
    return (await rejection(client.lock('a', WAIT))) as LockError;
  }

  it('for an invalid port', async () => {
    const error = await failure({ port: 99_999 });
    expect(error).to.include({ code: 'invalid' });
    expect(error.message).to.equal('port is 99999; expected a whole number from 0 to 65535');
  });

  it('for a Unix socket path that is too long', async () => {
    const error = await failure({ path: `/tmp/${'x'.repeat(200)}` });
    expect(error).to.include({ code: 'invalid' });
    expect(error.message).to.include('has 205 bytes').and.include('expected at most');
  });

  it('for a name longer than the server allows', async () => {
    const { port } = await startServer({ maxClientNameBytes: 8 });
    const error = await failure({ port, name: 'n'.repeat(9) });
    expect(error).to.include({ code: 'limit', limit: 'maxClientNameBytes', value: 8 });
  });

  it('for a server of another kind', async () => {
    const server = createServer((socket) => socket.end('-ERR unknown command\r\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    whenTestEnds(() => server.close());
    const error = await failure({ port: (server.address() as { readonly port: number }).port });
    expect(error).to.include({ code: 'protocol' });
  });

  it('and a later call tries again', async () => {
    const { port } = await startServer({ maxClientNameBytes: 8 });
    const client = new LockClient({ port, name: 'n'.repeat(9) });
    whenTestEnds(() => client.close());
    expect(await rejection(client.lock('a', WAIT))).to.include({ code: 'limit' });
    await client.identify('short');
    expect((await client.lock('a', WAIT)).isHeld).to.equal(true);
  });
});

describe('a waiting call', () => {
  afterEach(endTest);

  it('survives a server that stops in an orderly way, as it survives a crash', async () => {
    const first = await startServer();
    const holder = await first.client({ reconnect: false });
    await holder.lock('jobs');
    const waiter = new LockClient({ port: first.port, reconnect: { minDelayMs: 1, maxDelayMs: 20 } });
    whenTestEnds(() => waiter.close());
    const waits = [
      waiter.lock('jobs', { waitMs: Number.POSITIVE_INFINITY }).then((lock) => lock.release()),
      waiter.locks.request('jobs', () => true),
    ];
    while ((await holder.inspect('jobs')).waiterCount < 2);
    await first.server.close();
    await startServer({}, undefined, {}, first.port);
    expect(await Promise.all(waits)).to.deep.equal([true, true]);
  });

  it('then keeps its place among the waits of its client', async () => {
    const first = await startServer();
    const holder = await first.client({ reconnect: false });
    await holder.lock('jobs');
    const client = new LockClient({ port: first.port, reconnect: { minDelayMs: 1, maxDelayMs: 20 } });
    whenTestEnds(() => client.close());
    const granted: number[] = [];
    const waits = Array.from({ length: 8 }, async (_, index) => {
      const lock = await client.lock('jobs', { waitMs: Number.POSITIVE_INFINITY });
      granted.push(index);
      await lock.release();
    });
    while ((await holder.inspect('jobs')).waiterCount < waits.length);
    await first.server.close();
    await startServer({}, undefined, {}, first.port);
    await Promise.all(waits);
    expect(granted).to.deep.equal([...waits.keys()]);
  });

  it('fails with draining when its time is up before another server answers', async () => {
    const server = await startServer();
    const client = await server.client();
    const held = await client.lock('jobs');
    const closed = server.server.close({ drainMs: 20_000 });
    expect(await rejection(client.lock('other', { waitMs: 20 }))).to.be.instanceOf(LockDrainingError);
    await held.release();
    await closed;
  });
});
