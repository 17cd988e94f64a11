import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { until } from '../server/raw-client.ts';
import { abortable, rejection, rejects } from '../support/rejection.ts';
import {
  AT_ONCE,
  afterMicrotasks,
  emitted,
  LONG_MS,
  lazyClient,
  NEVER,
  proxy,
  server,
  serverScene,
  statesAtEvents,
} from './client-scene.ts';

describe('the life of a client', () => {
  serverScene();

  describe('idle', () => {
    it('opens no connection before it is used', async () => {
      const client = lazyClient();
      expect(client.state).to.equal('idle');
      expect(await (await server.client()).stats()).to.include({ connections: 1 });
    });

    it('connects with the first call of any kind', async () => {
      const calls: ((client: LockClient) => Promise<unknown>)[] = [
        (client) => client.connect(),
        (client) => client.lock('a'),
        (client) => client.tryLock('b'),
        (client) => client.inspect('a'),
        (client) => client.rpc('ping'),
      ];
      for (const call of calls) {
        const client = lazyClient();
        const states = statesAtEvents(client);
        const called = call(client);
        expect(client.state).to.equal('connecting');
        await called;
        expect(client.state).to.equal('connected');
        expect(states).to.deep.equal(['connect: connected']);
      }
    });

    it('connects once for many calls and makes them in their order', async () => {
      const client = lazyClient();
      const held = await (await server.client()).lock('jobs');
      const waiting = Array.from({ length: 5 }, (_, index) => client.lock('jobs', { owner: `flow ${index}` }));
      await client.rpc('ping');
      const { waiters } = await client.inspect('jobs');
      expect(waiters.map(({ owner }) => owner)).to.deep.equal(['flow 0', 'flow 1', 'flow 2', 'flow 3', 'flow 4']);
      expect((await client.stats()).connections).to.equal(2);
      await held.release();
      for (const next of waiting) await (await next).release();
    });

    it('closes at once and never connects', async () => {
      const client = lazyClient();
      const states = statesAtEvents(client);
      await client.close();
      expect(states).to.deep.equal(['close: closed']);
      await rejects(client.lock('a'), LockClosedError);
      await rejects(client.identify('Ann'), MessageError, { code: 'closed' });
      expect(await (await server.client()).stats()).to.include({ connections: 1 });
    });

    it('uses a name set before its first connection', async () => {
      const client = lazyClient();
      await client.identify('Ann');
      expect(client.state).to.equal('idle');
      expect((await client.rpc('whoami')).name).to.equal('Ann');
    });
  });

  describe('connecting', () => {
    it('ends for a call when its signal aborts', async () => {
      proxy.delay('toClient');
      const client = lazyClient();
      const given = abortable((signal) => client.lock('jobs', { signal }));
      await given.abort();
      expect(client.state).to.equal('connecting');
      proxy.free('toClient');
      await client.connect();
      expect((await client.stats()).requests.lock).to.equal(0);
    });

    it('ends for a call when its wait is over', async () => {
      proxy.delay('toClient');
      const client = lazyClient();
      const message = /^no server could be asked: no connection within \d+ ms: the server has not answered yet$/;
      await rejects(client.lock('jobs', { waitMs: 10 }), LockUnreachableError, message);
      await rejects(client.rpc('ping', {}, { timeoutMs: 10 }), LockUnreachableError, message);
    });

    it('ends with close: nothing stays open, and waiting calls fail with closed', async () => {
      proxy.delay('toClient');
      const client = lazyClient();
      const calls = [client.lock('jobs'), client.tryLock('jobs'), client.lockAll(['a'])];
      const waiting = calls.map((call: Promise<unknown>) => rejects(call, LockClosedError));
      const connecting = rejection(client.connect());
      await proxy.holds('toClient');
      const states = statesAtEvents(client);
      const closed = client.close();
      expect(client.state).to.equal('closing');
      await closed;
      await Promise.all(waiting);
      expect(await connecting).to.include({ code: 'closed' });
      expect(states).to.deep.equal(['close: closed']);
      proxy.free('toClient');
      const other = await server.client();
      await until(async () => (await other.stats()).openConnections === 1);
    });

    it('ends with close at any moment of the first answer', async () => {
      const other = await server.client();
      for (let steps = 0; steps < 12; steps += 1) {
        const client = closesDuring(steps);
        await rejection(client.connect().then(() => client.rpc('ping')));
        await client.close();
        await until(async () => (await other.stats()).openConnections === 1);
      }
    });

    it('sends a name set meanwhile when it is connected', async () => {
      proxy.delay('toClient');
      const client = lazyClient({ name: 'Ann' });
      const connected = client.connect();
      await proxy.holds('toClient');
      await client.identify('Bea');
      proxy.free('toClient');
      await connected;
      expect((await client.rpc('whoami')).name).to.equal('Bea');
    });
  });

  describe('after the first attempt failed', () => {
    it('is idle again if the caller asked for one attempt only', async () => {
      proxy.refuse();
      const client = lazyClient({ reconnect: AT_ONCE });
      const states = statesAtEvents(client);
      await rejects(client.connect(), Error);
      expect(client.state).to.equal('idle');
      expect(states).to.deep.equal([]);
      proxy.admit();
      await client.connect();
      expect(client.state).to.equal('connected');
    });

    it('keeps trying for a call that waits', async () => {
      proxy.refuse();
      const client = lazyClient({ reconnect: AT_ONCE });
      const failed = emitted(client, 'error');
      const waiting = client.lock('jobs');
      expect(await failed).to.be.instanceOf(Error);
      expect(client.state).to.equal('reconnecting');
      proxy.admit();
      expect(await waiting).to.include({ isHeld: true });
    });

    it('keeps trying for a waiting call, whoever asked for the first attempt', async () => {
      proxy.refuse();
      const client = lazyClient({ reconnect: AT_ONCE });
      const connecting = rejects(client.connect(), Error);
      const waiting = client.lock('jobs');
      await connecting;
      proxy.admit();
      expect(await waiting).to.include({ isHeld: true });
    });

    it('answers the caller that asked for one attempt only, whoever asked first', async () => {
      proxy.refuse();
      const client = lazyClient({ reconnect: NEVER });
      const waiting = rejects(client.lock('jobs', { waitMs: LONG_MS }), LockClosedError);
      await rejects(client.connect(), Error);
      expect(client.state).to.equal('reconnecting');
      await client.close();
      await waiting;
    });

    it('fails for all waiting calls if it is set not to retry', async () => {
      for (const options of [{ whileDisconnected: 'fail' }, { reconnect: false }] as const) {
        proxy.refuse();
        const client = lazyClient(options);
        const calls = [client.lock('jobs'), client.tryLock('jobs'), client.rpc('ping')];
        await Promise.all(calls.map((call: Promise<unknown>) => rejects(call, LockUnreachableError)));
        expect(client.state).to.equal('idle');
        proxy.admit();
        expect(await client.lock(`jobs ${options.reconnect}`)).to.include({ isHeld: true });
      }
    });

    it('stops trying when nobody waits any more', async () => {
      proxy.refuse();
      const client = lazyClient({ reconnect: AT_ONCE });
      const abort = new AbortController();
      const given = rejection(client.lock('jobs', { signal: abort.signal }));
      await emitted(client, 'error');
      abort.abort();
      await given;
      // The current attempt or the next one is the last.
      if (client.state !== 'idle') await emitted(client, 'error');
      expect(client.state).to.equal('idle');
    });
  });

  /** A client that closes itself that many microtasks after the first bytes of the server. */
  function closesDuring(steps: number): LockClient {
    const dial = dialTcp({ host: '127.0.0.1', port: server.port });
    const client: LockClient = lazyClient({
      dial: async (signal) => {
        const stream = await dial(signal);
        const start = stream.start.bind(stream);
        stream.start = (sink) => {
          const data: typeof sink.data = (bytes, end) => {
            void afterMicrotasks(steps, () => client.close());
            sink.data(bytes, end);
          };
          start({ data, ended: () => sink.ended(), closed: (error) => sink.closed(error) });
        };
        return stream;
      },
    });
    return client;
  }
});
