import { expect } from 'chai';
import { LockClosedError, LockLostError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { abortable, rejection, rejects } from '../support/rejection.ts';
import {
  AT_ONCE,
  cutAndRefuse,
  disconnected,
  emitted,
  LONG_MS,
  lazyClient,
  NEVER,
  proxy,
  server,
  serverScene,
  statesAtEvents,
  throughProxy,
} from './client-scene.ts';
import { LockProcess } from './lock-process.ts';

describe('the life of a client', () => {
  serverScene();

  describe('connected', () => {
    it('loses everything with the connection if its session is not kept, and then emits events about it', async () => {
      const client = await throughProxy({ reconnect: NEVER, session: false });
      const handle = await client.lock('jobs');
      const told = new Promise((resolve) => {
        client.once('disconnect', () => resolve({ state: client.state, isHeld: handle.isHeld }));
      });
      proxy.cut();
      expect(await told).to.deep.equal({ state: 'reconnecting', isHeld: false });
    });

    it('closes for good if it is set not to reconnect', async () => {
      const client = await throughProxy({ reconnect: false });
      const states = statesAtEvents(client);
      const closed = emitted(client, 'close');
      proxy.cut();
      await closed;
      expect(states).to.deep.equal(['disconnect: closed', 'close: closed']);
      await rejects(client.lock('a'), LockClosedError);
      expect(await rejection(client.rpc('ping'))).to.include({ code: 'closed' });
    });

    it('ends with close: all locks are lost, and waiting calls fail with closed', async () => {
      const client = await throughProxy();
      const handle = await client.lock('jobs');
      const waiting = rejects(client.lock('jobs'), LockClosedError);
      const states = statesAtEvents(client);
      const closed = client.close();
      expect(client.state).to.equal('closing');
      expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'closed' });
      await rejects(client.lock('a'), LockClosedError);
      await closed;
      await waiting;
      expect(states).to.deep.equal(['close: closed']);
    });

    it('ends once, even if a listener of the loss calls close again', async () => {
      const client = await throughProxy();
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
      const client = lazyClient();
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

    it('fails new calls at once if it is set to, and accepts them again once connected', async () => {
      const client = await disconnected({ reconnect: AT_ONCE, whileDisconnected: 'fail' });
      for (const call of [client.lock('a'), client.tryLock('a'), client.inspect('a')]) {
        await rejects(call, LockUnreachableError, /^no server could be asked: not connected: /);
      }
      const again = emitted(client, 'connect');
      proxy.admit();
      await again;
      expect(await client.lock('a')).to.include({ isHeld: true });
    });

    it('continues an earlier wait, even if new calls fail', async () => {
      const held = await (await server.client()).lock('jobs');
      const client = await throughProxy({ reconnect: AT_ONCE, whileDisconnected: 'fail' });
      const waiting = client.lock('jobs');
      await client.rpc('ping');
      await cutAndRefuse(client);
      proxy.admit();
      await held.release();
      expect(await waiting).to.include({ isHeld: true });
    });

    it('ends for a call when its signal aborts or its wait is over', async () => {
      const client = await disconnected({ reconnect: NEVER });
      const given = abortable((signal) => client.lock('jobs', { signal }));
      await given.abort();
      const message = /^no server could be asked: no connection within \d+ ms: /;
      const error = await rejects(client.lock('jobs', { waitMs: 5 }), LockUnreachableError, message);
      expect(error.cause).to.be.instanceOf(Error);
    });

    it('rejects connect() when the next attempt fails, and keeps trying', async () => {
      const client = await disconnected({ reconnect: AT_ONCE });
      await rejects(client.connect(), Error);
      expect(client.state).to.equal('reconnecting');
      proxy.admit();
      await emitted(client, 'connect');
    });

    it('ends with close: no further attempt is made', async () => {
      const client = await disconnected({ reconnect: NEVER });
      const waiting = rejects(client.lock('jobs'), LockClosedError);
      const connecting = rejects(client.connect(), Error, { code: 'closed' });
      const states = statesAtEvents(client);
      await client.close();
      await Promise.all([waiting, connecting]);
      expect(states).to.deep.equal(['close: closed']);
    });

    it('gives the new connection the name of the old one', async () => {
      const client = await throughProxy({ reconnect: AT_ONCE });
      await client.identify('Ann');
      await cutAndRefuse(client);
      proxy.admit();
      expect((await client.rpc('whoami')).name).to.equal('Ann');
    });

    it('waits a random time between attempts, up to a bound that doubles each time', async () => {
      const drawn: number[] = [];
      const shares = [0.5, 0.999, 0, 0.25];
      const delays = recordDelays();
      const { random } = Math;
      whenTestEnds(() => {
        Math.random = random;
      });
      Math.random = () => {
        const share = shares[drawn.length % shares.length] as number;
        drawn.push(share);
        return share;
      };
      const client = await disconnected({ reconnect: { minDelayMs: 20, maxDelayMs: 120 } });
      while (drawn.length < 8) await proxy.nextConnection();
      Math.random = random;
      await client.close();
      const bounds = [20, 40, 80, 120, 120, 120, 120, 120];
      const drawnMs = bounds.map((bound, index) => Math.ceil(bound * (shares[index % shares.length] as number)));
      const expected = drawnMs.map((delayMs) => Math.max(10, delayMs));
      expect(delays().slice(0, bounds.length)).to.deep.equal(expected);
    });

    it('waits at least 10 ms before each attempt, even with delays of 0', async () => {
      const delays = recordDelays();
      const client = await disconnected({ reconnect: AT_ONCE });
      for (let count = 0; count < 4; count += 1) await proxy.nextConnection();
      await client.close();
      expect(delays().slice(0, 4)).to.deep.equal([10, 10, 10, 10]);
    });
  });

  describe('without a reference', () => {
    it('lets its process end even if it is connected and holds a lock', async () => {
      const child = new LockProcess(server.port);
      await child.tell({ do: 'lock', name: 'jobs', leaseMs: LONG_MS });
      expect(await child.tell({ do: 'unref' })).to.equal('let go');
      expect(await child.exit).to.equal(0);
      const other = await server.client();
      await until(async () => (await other.inspect('jobs')).holderCount === 0);
    });

    it('lets its process end while it waits to reconnect', async () => {
      const child = new LockProcess(proxy.port);
      await child.tell({ do: 'lock', name: 'jobs' });
      proxy.refuse();
      proxy.cut();
      await proxy.nextConnection();
      expect(await child.tell({ do: 'unref' })).to.equal('let go');
      expect(await child.exit).to.equal(0);
    });
  });

  /** The delays, in milliseconds, of the timers that the client sets from now on. */
  function recordDelays(): () => number[] {
    const delays: number[] = [];
    const { setTimeout: original } = globalThis;
    whenTestEnds(() => {
      globalThis.setTimeout = original;
    });
    globalThis.setTimeout = ((callback: () => void, delayMs: number) => {
      // The timers of its requests and attempts are much longer.
      if (delayMs < 1_000) delays.push(delayMs);
      return original(callback, delayMs);
    }) as typeof setTimeout;
    return () => delays;
  }
});
