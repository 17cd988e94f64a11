import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockInvalidError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import type { RunningServer } from '../server/running-server.ts';
import { AT_ONCE, ClientLifeScene, LONG_MS, NEVER, statesAtEvents } from './client-life-scene.ts';
import type { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';

describe('the life of a client', () => {
  let scene: ClientLifeScene;
  let server: RunningServer;
  let proxy: DelayingProxy;

  beforeEach(async () => {
    scene = await ClientLifeScene.start();
    ({ server, proxy } = scene);
  });
  afterEach(endTest);

  describe('with wrong options', () => {
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
      const client = await scene.connected();
      expect(await rejection(client.close({ drainMs: -1 })))
        .to.be.instanceOf(LockInvalidError)
        .and.include({ message: 'drainMs is -1; expected a number from 0, or Infinity' });
      expect(client.state).to.equal('connected');
    });
  });

  describe('idle', () => {
    it('opens no connection before it is used', async () => {
      const client = scene.lazy();
      expect(client.state).to.equal('idle');
      expect(await (await server.client()).stats()).to.include({ connections: 1 });
    });

    it('connects with the first call, whichever it is', async () => {
      const calls: ((client: LockClient) => Promise<unknown>)[] = [
        (client) => client.connect(),
        (client) => client.lock('a'),
        (client) => client.tryLock('b'),
        (client) => client.inspect('a'),
        (client) => client.rpc('ping'),
      ];
      for (const call of calls) {
        const client = scene.lazy();
        const states = statesAtEvents(client);
        const called = call(client);
        expect(client.state).to.equal('connecting');
        await called;
        expect(client.state).to.equal('connected');
        expect(states).to.deep.equal(['connect: connected']);
      }
    });

    it('connects once for many calls and makes them in their order', async () => {
      const client = scene.lazy();
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
      const client = scene.lazy();
      const states = statesAtEvents(client);
      await client.close();
      expect(states).to.deep.equal(['close: closed']);
      expect(await rejection(client.lock('a'))).to.be.instanceOf(LockClosedError);
      expect(await rejection(client.identify('Ann')))
        .to.be.instanceOf(MessageError)
        .and.include({ code: 'closed' });
      expect(await (await server.client()).stats()).to.include({ connections: 1 });
    });

    it('uses a name set now from its first connection on', async () => {
      const client = scene.lazy();
      await client.identify('Ann');
      expect(client.state).to.equal('idle');
      expect((await client.rpc('whoami')).name).to.equal('Ann');
    });
  });

  describe('connecting', () => {
    it('ends for a call when its signal aborts', async () => {
      proxy.delay('toClient');
      const client = scene.lazy();
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

    it('ends for a call when its wait is over', async () => {
      proxy.delay('toClient');
      const client = scene.lazy();
      const error = await rejection(client.lock('jobs', { waitMs: 10 }));
      const none = await rejection(client.rpc('ping', {}, { timeoutMs: 10 }));
      for (const each of [error, none]) {
        expect(each).to.be.instanceOf(LockUnreachableError).and.include({ code: 'unreachable' });
        expect((each as Error).message).to.equal(
          'no server could be asked: no connection within 10 ms: the server has not answered yet',
        );
      }
    });

    it('ends with close: nothing stays open, and waiting calls fail with closed', async () => {
      proxy.delay('toClient');
      const client = scene.lazy();
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

    it('ends with close at any moment of the first answer', async () => {
      const other = await server.client();
      for (let steps = 0; steps < 12; steps += 1) {
        const client = closesDuring(steps);
        await rejection(client.connect().then(() => client.rpc('ping')));
        await client.close();
        await until(async () => (await other.stats()).openConnections === 1);
      }
    });

    it('sends a name set now once it is connected', async () => {
      proxy.delay('toClient');
      const client = scene.lazy({ name: 'Ann' });
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
      const client = scene.lazy({ reconnect: AT_ONCE });
      const states = statesAtEvents(client);
      expect(await rejection(client.connect())).to.be.instanceOf(Error);
      expect(client.state).to.equal('idle');
      expect(states).to.deep.equal([]);
      proxy.admit();
      await client.connect();
      expect(client.state).to.equal('connected');
    });

    it('keeps trying for a call that waits', async () => {
      proxy.refuse();
      const client = scene.lazy({ reconnect: AT_ONCE });
      const failed = new Promise<Error>((resolve) => client.once('error', resolve));
      const waiting = client.lock('jobs');
      expect(await failed).to.be.instanceOf(Error);
      expect(client.state).to.equal('reconnecting');
      proxy.admit();
      expect(await waiting).to.include({ isHeld: true });
    });

    it('keeps trying for a waiting call, whoever asked for the first attempt', async () => {
      proxy.refuse();
      const client = scene.lazy({ reconnect: AT_ONCE });
      const connecting = rejection(client.connect());
      const waiting = client.lock('jobs');
      expect(await connecting).to.be.instanceOf(Error);
      proxy.admit();
      expect(await waiting).to.include({ isHeld: true });
    });

    it('answers the caller that asked for one attempt only, whoever asked first', async () => {
      proxy.refuse();
      const client = scene.lazy({ reconnect: NEVER });
      const waiting = rejection(client.lock('jobs', { waitMs: LONG_MS }));
      expect(await rejection(client.connect())).to.be.instanceOf(Error);
      expect(client.state).to.equal('reconnecting');
      await client.close();
      expect(await waiting).to.be.instanceOf(LockClosedError);
    });

    it('fails for all waiting calls if it is set not to retry', async () => {
      for (const options of [{ whileDisconnected: 'fail' }, { reconnect: false }] as const) {
        proxy.refuse();
        const client = scene.lazy(options);
        const calls = [
          rejection(client.lock('jobs')),
          rejection(client.tryLock('jobs')),
          rejection(client.rpc('ping')),
        ];
        for (const error of calls) expect(await error).to.be.instanceOf(LockUnreachableError);
        expect(client.state).to.equal('idle');
        proxy.admit();
        expect(await client.lock(`jobs ${options.reconnect}`)).to.include({ isHeld: true });
      }
    });

    it('stops trying when nobody waits any more', async () => {
      proxy.refuse();
      const client = scene.lazy({ reconnect: AT_ONCE });
      const abort = new AbortController();
      const given = rejection(client.lock('jobs', { signal: abort.signal }));
      await new Promise((resolve) => client.once('error', resolve));
      abort.abort();
      await given;
      // The attempt that is under way, or the next one, is the last.
      if (client.state !== 'idle') await new Promise((resolve) => client.once('error', resolve));
      expect(client.state).to.equal('idle');
    });
  });

  /** Closes a client so many microtasks after the first bytes came from the server. */
  function closesDuring(steps: number): LockClient {
    const dial = dialTcp({ host: '127.0.0.1', port: server.port });
    const client: LockClient = new LockClient({
      dial: async (signal) => {
        const stream = await dial(signal);
        const start = stream.start.bind(stream);
        stream.start = (sink) =>
          start({
            data: (bytes, end) => {
              void closeAfter(client, steps);
              sink.data(bytes, end);
            },
            ended: () => sink.ended(),
            closed: (error) => sink.closed(error),
          });
        return stream;
      },
    });
    return client;
  }
});

async function closeAfter(client: LockClient, steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) await undefined;
  await client.close();
}
