import { expect } from 'chai';
import type { LockClientEvents } from '../../lib/client/base-client.ts';
import type { ClientState } from '../../lib/client/client-life.ts';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockInvalidError, LockLostError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { LockProcess } from './lock-process.ts';
import { rejection } from './rejection.ts';

/** Attempts that follow each other as fast as they can. */
const AT_ONCE = { minDelayMs: 0, maxDelayMs: 0 } as const;
/** No second attempt within a test. */
const NEVER = { minDelayMs: 1e9, maxDelayMs: 1e9 } as const;
const LONG_MS = 3_600_000;

describe('the life of a client', () => {
  let server: RunningServer;
  let proxy: DelayingProxy;
  let random: typeof Math.random;

  beforeEach(async () => {
    random = Math.random;
    server = await startServer();
    proxy = await DelayingProxy.start(server.port);
  });
  afterEach(async () => {
    Math.random = random;
    await endTest();
  });

  describe('with options that make no sense', () => {
    it('does not begin', async () => {
      const wrong: [object, string][] = [
        [{ connectTimeoutMs: -1 }, 'connectTimeoutMs is -1; expected a number from 0, or Infinity'],
        [{ requestTimeoutMs: Number.NaN }, 'requestTimeoutMs is NaN; expected a number from 0, or Infinity'],
        [{ reconnect: { minDelayMs: '5' } }, 'reconnect.minDelayMs is "5"; expected a number from 0, or Infinity'],
        [{ reconnect: { maxDelayMs: null } }, 'reconnect.maxDelayMs is null; expected a number from 0, or Infinity'],
        [{ maxBufferedEvents: -1 }, 'maxBufferedEvents is -1; expected a number from 0, or Infinity'],
        [{ whileDisconnected: 'never' }, 'whileDisconnected is "never"; expected "wait" or "fail"'],
      ];
      for (const [options, message] of wrong) {
        expect(() => new LockClient(options)).to.throw(LockInvalidError, message);
        expect(await rejection(LockClient.connect(options))).to.be.instanceOf(LockInvalidError);
      }
    });

    it('does not end', async () => {
      const client = await connected();
      expect(await rejection(client.close({ drainMs: -1 })))
        .to.be.instanceOf(LockInvalidError)
        .and.include({ message: 'drainMs is -1; expected a number from 0, or Infinity' });
      expect(client.state).to.equal('connected');
    });
  });

  describe('idle', () => {
    it('opens no connection before it is used', async () => {
      const client = lazy();
      expect(client.state).to.equal('idle');
      expect(await (await server.client()).stats()).to.include({ connections: 1 });
    });

    it('connects with the first call, whichever that is', async () => {
      const calls: ((client: LockClient) => Promise<unknown>)[] = [
        (client) => client.connect(),
        (client) => client.lock('a'),
        (client) => client.tryLock('b'),
        (client) => client.inspect('a'),
        (client) => client.rpc('ping'),
      ];
      for (const call of calls) {
        const client = lazy();
        const states = statesAtEvents(client);
        const called = call(client);
        expect(client.state).to.equal('connecting');
        await called;
        expect(client.state).to.equal('connected');
        expect(states).to.deep.equal(['connect: connected']);
      }
    });

    it('connects once for many calls, and carries them out in their order', async () => {
      const client = lazy();
      const held = await (await server.client()).lock('jobs');
      const waiting = Array.from({ length: 5 }, (_, index) => client.lock('jobs', { owner: `flow ${index}` }));
      await client.rpc('ping');
      const { waiters } = await client.inspect('jobs');
      expect(waiters.map(({ owner }) => owner)).to.deep.equal(['flow 0', 'flow 1', 'flow 2', 'flow 3', 'flow 4']);
      expect((await client.stats()).connections).to.equal(2);
      await held.release();
      for (const next of waiting) await (await next).release();
    });

    it('is closed at once, and never connects', async () => {
      const client = lazy();
      const states = statesAtEvents(client);
      await client.close();
      expect(states).to.deep.equal(['close: closed']);
      expect(await rejection(client.lock('a'))).to.be.instanceOf(LockClosedError);
      expect(await rejection(client.identify('Ann')))
        .to.be.instanceOf(MessageError)
        .and.include({ code: 'closed' });
      expect(await (await server.client()).stats()).to.include({ connections: 1 });
    });

    it('takes a name that it has from its first connection on', async () => {
      const client = lazy();
      await client.identify('Ann');
      expect(client.state).to.equal('idle');
      expect((await client.rpc('whoami')).name).to.equal('Ann');
    });
  });

  describe('connecting', () => {
    it('is over for a call whose signal aborts', async () => {
      proxy.delay('toClient');
      const client = lazy();
      const abort = new AbortController();
      const given = rejection(client.lock('jobs', { signal: abort.signal }));
      const reason = new Error('enough');
      abort.abort(reason);
      expect(await given).to.equal(reason);
      expect(client.state).to.equal('connecting');
      proxy.free('toClient');
      await client.connect();
      expect((await client.stats()).requests.lock).to.equal(0);
    });

    it('is over for a call that waits no longer', async () => {
      proxy.delay('toClient');
      const client = lazy();
      const error = await rejection(client.lock('jobs', { waitMs: 10 }));
      expect(error).to.be.instanceOf(LockTimeoutError);
      expect((error as Error).message).to.equal(
        'the lock was not granted: no connection within 10 ms: the server has not answered yet',
      );
      const none = await rejection(client.rpc('ping', {}, { timeoutMs: 10 }));
      expect(none).to.be.instanceOf(MessageError).and.include({ code: 'timeout' });
    });

    it('ends with close: nothing is left open, and those who wait are told closed', async () => {
      proxy.delay('toClient');
      const client = lazy();
      const waiting = [
        rejection(client.lock('jobs')),
        rejection(client.tryLock('jobs')),
        rejection(client.lockAll(['a'])),
      ];
      const connecting = rejection(client.connect());
      await proxy.holds('toClient');
      const states = statesAtEvents(client);
      const closed = client.close();
      expect(client.state).to.equal('closing');
      await closed;
      for (const error of waiting) expect(await error).to.be.instanceOf(LockClosedError);
      expect(await connecting).to.include({ code: 'closed' });
      expect(states).to.deep.equal(['close: closed']);
      proxy.free('toClient');
      const other = await server.client();
      await until(async () => (await other.stats()).openConnections === 1);
    });

    it('ends with close whichever moment of the first answer that comes in', async () => {
      const other = await server.client();
      for (let steps = 0; steps < 12; steps += 1) {
        const client = closesDuring(steps);
        await rejection(client.connect().then(() => client.rpc('ping')));
        await client.close();
        await until(async () => (await other.stats()).openConnections === 1);
      }
    });

    it('takes a name that it has once it is connected', async () => {
      proxy.delay('toClient');
      const client = lazy({ name: 'Ann' });
      const connected = client.connect();
      await proxy.holds('toClient');
      await client.identify('Bea');
      proxy.free('toClient');
      await connected;
      expect((await client.rpc('whoami')).name).to.equal('Bea');
    });
  });

  describe('whose first attempt fails', () => {
    it('is idle again, for who asked for one attempt only', async () => {
      proxy.refuse();
      const client = lazy({ reconnect: AT_ONCE });
      const states = statesAtEvents(client);
      expect(await rejection(client.connect())).to.be.instanceOf(Error);
      expect(client.state).to.equal('idle');
      expect(states).to.deep.equal([]);
      proxy.admit();
      await client.connect();
      expect(client.state).to.equal('connected');
    });

    it('tries on for a call that waits', async () => {
      proxy.refuse();
      const client = lazy({ reconnect: AT_ONCE });
      const failed = new Promise<Error>((resolve) => client.once('error', resolve));
      const waiting = client.lock('jobs');
      expect(await failed).to.be.instanceOf(Error);
      expect(client.state).to.equal('reconnecting');
      proxy.admit();
      expect(await waiting).to.include({ isHeld: true });
    });

    it('tries on for a call that waits, whoever asked for the first attempt', async () => {
      proxy.refuse();
      const client = lazy({ reconnect: AT_ONCE });
      const connecting = rejection(client.connect());
      const waiting = client.lock('jobs');
      expect(await connecting).to.be.instanceOf(Error);
      proxy.admit();
      expect(await waiting).to.include({ isHeld: true });
    });

    it('tells who asked for one attempt only, whoever asked first', async () => {
      proxy.refuse();
      const client = lazy({ reconnect: NEVER });
      const waiting = rejection(client.lock('jobs', { waitMs: LONG_MS }));
      expect(await rejection(client.connect())).to.be.instanceOf(Error);
      expect(client.state).to.equal('reconnecting');
      await client.close();
      expect(await waiting).to.be.instanceOf(LockClosedError);
    });

    it('fails for all that wait where it is not to try on', async () => {
      for (const options of [{ whileDisconnected: 'fail' }, { reconnect: false }] as const) {
        proxy.refuse();
        const client = lazy(options);
        const calls = [
          rejection(client.lock('jobs')),
          rejection(client.tryLock('jobs')),
          rejection(client.rpc('ping')),
        ];
        for (const error of calls) expect(await error).to.be.instanceOf(MessageError);
        expect(client.state).to.equal('idle');
        proxy.admit();
        expect(await client.lock(`jobs ${options.reconnect}`)).to.include({ isHeld: true });
      }
    });

    it('stops to try when nobody waits any more', async () => {
      proxy.refuse();
      const client = lazy({ reconnect: AT_ONCE });
      const abort = new AbortController();
      const given = rejection(client.lock('jobs', { signal: abort.signal }));
      await new Promise((resolve) => client.once('error', resolve));
      abort.abort();
      await given;
      // The attempt that is under way, or the next, is the last.
      if (client.state !== 'idle') await new Promise((resolve) => client.once('error', resolve));
      expect(client.state).to.equal('idle');
    });
  });

  describe('connected', () => {
    it('loses everything with the connection, and then says so', async () => {
      const client = await connected({ reconnect: NEVER });
      const handle = await client.lock('jobs');
      const told = new Promise((resolve) => {
        client.once('disconnect', () => resolve({ state: client.state, isHeld: handle.isHeld }));
      });
      proxy.cut();
      expect(await told).to.deep.equal({ state: 'reconnecting', isHeld: false });
    });

    it('is closed for good where it is not to be connected again', async () => {
      const client = await connected({ reconnect: false });
      const states = statesAtEvents(client);
      const closed = new Promise((resolve) => client.once('close', () => resolve(undefined)));
      proxy.cut();
      await closed;
      expect(states).to.deep.equal(['disconnect: closed', 'close: closed']);
      expect(await rejection(client.lock('a'))).to.be.instanceOf(LockClosedError);
      expect(await rejection(client.rpc('ping'))).to.include({ code: 'closed' });
    });

    it('ends with close: all that is held is lost, all that waits is told closed', async () => {
      const client = await connected();
      const handle = await client.lock('jobs');
      const waiting = rejection(client.lock('jobs'));
      const states = statesAtEvents(client);
      const closed = client.close();
      expect(client.state).to.equal('closing');
      expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'closed' });
      expect(await rejection(client.lock('a'))).to.be.instanceOf(LockClosedError);
      await closed;
      expect(await waiting).to.be.instanceOf(LockClosedError);
      expect(states).to.deep.equal(['close: closed']);
    });

    it('ends once, also when the loss that this is makes somebody close it again', async () => {
      const client = await connected();
      const handle = await client.lock('jobs');
      const states = statesAtEvents(client);
      let again: Promise<void> | undefined;
      handle.signal.addEventListener('abort', () => {
        states.push(`abort: ${client.state}`);
        again = client.close();
      });
      await client.close();
      await again;
      expect(states).to.deep.equal(['abort: closing', 'close: closed']);
    });

    it('goes on although a listener throws', async () => {
      const client = lazy();
      const thrown = new Error('from a listener');
      const listeners = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
      client.on('connect', () => {
        throw thrown;
      });
      const handle = await client.lock('jobs');
      expect(await uncaught).to.equal(thrown);
      for (const listener of listeners) process.on('uncaughtException', listener);
      expect(handle.isHeld).to.equal(true);
    });
  });

  describe('reconnecting', () => {
    it('lets new calls wait for the connection', async () => {
      const client = await disconnected({ reconnect: AT_ONCE });
      const calls = [client.lock('a'), client.tryLock('b'), client.inspect('c'), client.connect()];
      proxy.admit();
      await Promise.all(calls);
      expect(client.state).to.equal('connected');
    });

    it('lets new calls fail at once where it is set to, and takes them again once it is connected', async () => {
      const client = await disconnected({ reconnect: AT_ONCE, whileDisconnected: 'fail' });
      for (const call of [client.lock('a'), client.tryLock('a'), client.inspect('a')]) {
        const error = await rejection(call);
        expect(error).to.be.instanceOf(MessageError).and.include({ code: 'connectionLost' });
        expect((error as Error).message).to.match(/^not connected: /);
      }
      const again = new Promise<void>((resolve) => client.once('connect', resolve));
      proxy.admit();
      await again;
      expect(await client.lock('a')).to.include({ isHeld: true });
    });

    it('goes on with a wait that began before, also where new calls fail', async () => {
      const held = await (await server.client()).lock('jobs');
      const client = await connected({ reconnect: AT_ONCE, whileDisconnected: 'fail' });
      const waiting = client.lock('jobs');
      await client.rpc('ping');
      await cutAndRefuse(client);
      proxy.admit();
      await held.release();
      expect(await waiting).to.include({ isHeld: true });
    });

    it('is over for calls whose signal aborts or that wait no longer', async () => {
      const client = await disconnected({ reconnect: NEVER });
      const abort = new AbortController();
      const given = rejection(client.lock('jobs', { signal: abort.signal }));
      const reason = new Error('enough');
      abort.abort(reason);
      expect(await given).to.equal(reason);
      const error = await rejection(client.lock('jobs', { waitMs: 5 }));
      expect(error).to.be.instanceOf(LockTimeoutError);
      expect((error as Error).message).to.match(/^the lock was not granted: no connection within 5 ms: /);
      expect((error as Error).cause).to.be.instanceOf(MessageError);
    });

    it('tells who asks to connect when the next attempt fails, and goes on', async () => {
      const client = await disconnected({ reconnect: AT_ONCE });
      expect(await rejection(client.connect())).to.be.instanceOf(Error);
      expect(client.state).to.equal('reconnecting');
      proxy.admit();
      await new Promise<void>((resolve) => client.once('connect', resolve));
    });

    it('ends with close: no further attempt is made', async () => {
      const client = await disconnected({ reconnect: NEVER });
      const waiting = [rejection(client.lock('jobs')), rejection(client.connect())];
      const states = statesAtEvents(client);
      await client.close();
      expect(await waiting[0]).to.be.instanceOf(LockClosedError);
      expect(await waiting[1]).to.include({ code: 'closed' });
      expect(states).to.deep.equal(['close: closed']);
    });

    it('gives the new connection the name of the old', async () => {
      const client = await connected({ reconnect: AT_ONCE });
      await client.identify('Ann');
      await cutAndRefuse(client);
      proxy.admit();
      expect((await client.rpc('whoami')).name).to.equal('Ann');
    });

    it('waits for any time up to a bound that doubles from attempt to attempt', async () => {
      const drawn: number[] = [];
      const shares = [0.5, 0.999, 0, 0.25];
      const delays = recordDelays();
      Math.random = () => {
        const share = shares[drawn.length % shares.length] as number;
        drawn.push(share);
        return share;
      };
      const client = await disconnected({ reconnect: { minDelayMs: 1, maxDelayMs: 6 } });
      while (drawn.length < 8) await proxy.nextConnection();
      Math.random = random;
      await client.close();
      const bounds = [1, 2, 4, 6, 6, 6, 6, 6];
      const expected = bounds.map((bound, index) => Math.ceil(bound * (shares[index % shares.length] as number)));
      expect(delays().slice(0, bounds.length)).to.deep.equal(expected);
    });
  });

  describe('closing', () => {
    it('gives what is held the time to be released, and ends with that', async () => {
      const client = await connected();
      const other = await server.client();
      const handle = await client.lock('jobs');
      const waiting = rejection(client.lock('jobs'));
      let isClosed = false;
      const closed = client.close({ drainMs: LONG_MS }).then(() => {
        isClosed = true;
      });
      expect(await waiting).to.be.instanceOf(LockClosedError);
      expect(await rejection(client.lock('a'))).to.be.instanceOf(LockClosedError);
      expect(await rejection(handle.lock('a'))).to.be.instanceOf(LockClosedError);
      await other.rpc('ping');
      expect({ isClosed, state: client.state, isHeld: handle.isHeld }).to.deep.equal({
        isClosed: false,
        state: 'closing',
        isHeld: true,
      });
      expect(await handle.release()).to.equal(true);
      await closed;
      expect(await other.inspect('jobs')).to.include({ holderCount: 0, waiterCount: 0 });
    });

    it('lets a function end that runs under a lock, with its value', async () => {
      const client = await connected();
      let closed: Promise<void> | undefined;
      const outcome = client.locked('jobs', async () => {
        closed = client.close({ drainMs: LONG_MS });
        await (await server.client()).rpc('ping');
        return 'done';
      });
      expect(await outcome).to.equal('done');
      await closed;
    });

    it('ends at once when nothing is held', async () => {
      const client = await connected();
      await client.close({ drainMs: LONG_MS });
      expect(client.state).to.equal('closed');
    });

    it('takes away what was not released in time', async () => {
      const client = await connected();
      const handle = await client.lock('jobs');
      await client.close({ drainMs: 5 });
      expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'closed' });
      expect(await handle.release()).to.equal(false);
    });

    it('ends when the connection is lost meanwhile, and opens no other', async () => {
      const client = await connected({ reconnect: AT_ONCE });
      const handle = await client.lock('jobs');
      const closed = client.close({ drainMs: LONG_MS });
      proxy.cut();
      await closed;
      expect(handle.signal.reason).to.include({ code: 'connectionLost' });
      expect(client.state).to.equal('closed');
    });

    it('gives back a grant that crosses it', async () => {
      const other = await server.client();
      const held = await other.lock('jobs');
      const client = await connected();
      await client.lock('kept');
      const waiting = rejection(client.lock('jobs'));
      await client.rpc('ping');
      proxy.delay('toClient');
      await held.release();
      await proxy.holds('toClient');
      const closed = client.close({ drainMs: LONG_MS });
      expect(await waiting).to.be.instanceOf(LockClosedError);
      proxy.free('toClient');
      await until(async () => (await other.inspect('jobs')).holderCount === 0);
      expect((await other.inspect('kept')).holderCount).to.equal(1);
      proxy.cut();
      await closed;
    });
  });

  describe('without a reference', () => {
    it('lets its process end although it is connected and holds a lock', async () => {
      const child = new LockProcess(server.port);
      await child.tell({ do: 'lock', name: 'jobs', leaseMs: LONG_MS });
      expect(await child.tell({ do: 'unref' })).to.equal('let go');
      expect(await child.exit).to.equal(0);
      const other = await server.client();
      await until(async () => (await other.inspect('jobs')).holderCount === 0);
    });

    it('lets its process end while it waits to connect again', async () => {
      const child = new LockProcess(proxy.port);
      await child.tell({ do: 'lock', name: 'jobs' });
      proxy.refuse();
      proxy.cut();
      await proxy.nextConnection();
      expect(await child.tell({ do: 'unref' })).to.equal('let go');
      expect(await child.exit).to.equal(0);
    });
  });

  function lazy(options: LockClientOptions = {}): LockClient {
    const client = new LockClient({ port: proxy.port, ...options });
    whenTestEnds(() => client.close());
    return client;
  }

  async function connected(options: LockClientOptions = {}): Promise<LockClient> {
    const client = lazy(options);
    await client.connect();
    return client;
  }

  /** One whose connection was cut, and that finds no other until the proxy admits it. */
  async function disconnected(options: LockClientOptions = {}): Promise<LockClient> {
    const client = await connected(options);
    await cutAndRefuse(client);
    return client;
  }

  async function cutAndRefuse(client: LockClient): Promise<void> {
    const lost = new Promise((resolve) => client.once('disconnect', () => resolve(undefined)));
    proxy.refuse();
    proxy.cut();
    await lost;
  }

  /** A client that is closed so many microtasks after the first bytes came from the server. */
  function closesDuring(steps: number): LockClient {
    const dial = dialTcp({ host: '127.0.0.1', port: server.port });
    const client: LockClient = new LockClient({
      dial: async (signal) => {
        const stream = await dial(signal);
        const start = stream.start.bind(stream);
        stream.start = (sink) =>
          start({
            data: (bytes) => {
              void closeAfter(client, steps);
              sink.data(bytes);
            },
            ended: () => sink.ended(),
            closed: (error) => sink.closed(error),
          });
        return stream;
      },
    });
    return client;
  }

  /** The delays of the timers that the client sets from now on, in milliseconds. */
  function recordDelays(): () => number[] {
    const delays: number[] = [];
    const { setTimeout: original } = globalThis;
    whenTestEnds(() => {
      globalThis.setTimeout = original;
    });
    globalThis.setTimeout = ((callback: () => void, delayMs: number) => {
      // Those of its requests and attempts are much longer.
      if (delayMs < 1_000) delays.push(delayMs);
      return original(callback, delayMs);
    }) as typeof setTimeout;
    return () => delays;
  }
});

async function closeAfter(client: LockClient, steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) await undefined;
  await client.close();
}

/** What the client tells of from now on, each with the state that it is in then. */
function statesAtEvents(client: LockClient): string[] {
  const states: string[] = [];
  const events: (keyof LockClientEvents)[] = ['connect', 'disconnect', 'error', 'close'];
  for (const event of events) {
    client.on(event, () => {
      const state: ClientState = client.state;
      states.push(`${event}: ${state}`);
    });
  }
  return states;
}
