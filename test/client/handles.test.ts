import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockInvalidError, LockLostError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';

describe('the handle of a lock', () => {
  let server: RunningServer;
  let proxy: DelayingProxy;
  let client: LockClient;
  let other: LockClient;

  beforeEach(async () => {
    server = await startServer();
    proxy = await DelayingProxy.start(server.port);
    client = await server.client({ port: proxy.port });
    other = await server.client();
  });
  afterEach(endTest);

  it('tells its name, mode, token, count and owner', async () => {
    const first = await client.lock('jobs', { mode: 'permit', limit: 3 });
    const second = await other.lock('jobs', { mode: 'permit', limit: 3 });
    expect(first).to.include({ name: 'jobs', mode: 'permit', token: 1, count: 1, isHeld: true });
    expect(second).to.include({ name: 'jobs', mode: 'permit', token: 2, count: 2, isHeld: true });
    const readers = [await client.lock('list', { mode: 'shared' }), await other.lock('list', { mode: 'shared' })];
    expect(readers.map(({ mode, count }) => ({ mode, count }))).to.deep.equal([
      { mode: 'shared', count: 1 },
      { mode: 'shared', count: 2 },
    ]);
    expect((await other.inspect('jobs')).holders.map(({ owner }) => owner)).to.deep.equal([first.owner, second.owner]);
  });

  it('limits a rate by the count: a call too many can see it, or waits', async () => {
    const permit = { mode: 'permit' } as const;
    const counted = [await client.lock('calls', permit), await client.lock('calls', permit)];
    expect(counted.map(({ count }) => count)).to.deep.equal([1, 2]);
    expect(await client.tryLock('calls', { ...permit, limit: 2 })).to.equal(null);
    const waiting = client.lock('calls', { ...permit, limit: 2 });
    await counted[0]?.release();
    expect(await waiting).to.include({ count: 2 });
  });

  describe('acquiring its own lock again', () => {
    it('enters it without asking the server, and the last release frees it', async () => {
      const handle = await client.lock('jobs');
      const asked = (await other.stats()).requests.lock;
      const again = await handle.lock('jobs');
      const tried = await again.tryLock('jobs');
      expect((await other.stats()).requests.lock).to.equal(asked);
      for (const entered of [again, tried]) {
        expect(entered).to.include({ name: 'jobs', mode: 'exclusive', token: handle.token, owner: handle.owner });
      }
      expect(await handle.release()).to.equal(true);
      expect(await again.release()).to.equal(true);
      expect(await again.release()).to.equal(true);
      expect(await other.tryLock('jobs')).to.equal(null);
      expect(tried?.isHeld).to.equal(true);
      expect(await tried?.release()).to.equal(true);
      await isFree('jobs');
    });

    it('leaves no lock behind when the function under it throws', async () => {
      const thrown = new Error('from the function');
      const outcome = client.locked('jobs', (handle) =>
        handle.locked('jobs', () => {
          throw thrown;
        }),
      );
      expect(await rejection(outcome)).to.equal(thrown);
      await isFree('jobs');
    });

    it('may ask for a weaker mode, but not for a stronger one', async () => {
      const writer = await client.lock('jobs');
      expect(await writer.lock('jobs', { mode: 'shared' })).to.include({ mode: 'exclusive' });
      const reader = await client.lock('list', { mode: 'shared' });
      expect(await reader.lock('list', { mode: 'shared' })).to.include({ mode: 'shared', token: reader.token });
      await isInvalid(
        reader.lock('list'),
        'mode is "exclusive"; expected "shared", since the handle holds the lock shared',
      );
      await isInvalid(reader.tryLock('list'), 'mode is "exclusive"; expected "shared", since');
    });

    it('keeps the lease unchanged', async () => {
      const handle = await client.lock('jobs');
      await isInvalid(handle.lock('jobs', { leaseMs: 1_000 }), 'leaseMs is 1000; expected none, since');
      await isInvalid(handle.lock('jobs', { steal: true }), 'steal is true; expected none, since');
    });

    it('reports a loss in each handle', async () => {
      const handle = await client.lock('jobs');
      const again = await handle.lock('jobs');
      const lost = [whenLost(handle), whenLost(again)];
      proxy.cut();
      for (const loss of await Promise.all(lost)) expect(loss).to.include({ code: 'connectionLost' });
      expect(await again.release()).to.equal(false);
      expect(await handle.release()).to.equal(false);
    });

    it('treats the permit of the same name as another lock', async () => {
      const handle = await client.lock('jobs');
      const permit = await handle.lock('jobs', { mode: 'permit', limit: 1 });
      expect(permit.token).to.be.above(handle.token);
      expect((await other.inspect('jobs')).holderCount).to.equal(2);
    });
  });

  describe('acquiring a further lock', () => {
    it('uses the same owner', async () => {
      const handle = await client.lock('a');
      const further = await handle.lock('b', { mode: 'shared' });
      expect(further).to.include({ owner: handle.owner, mode: 'shared' });
      expect((await other.inspect('b')).holders[0]).to.include({ owner: handle.owner });
    });

    it('does not enter a lock held by another handle of its owner', async () => {
      const a = await client.lock('a');
      const b = await a.lock('b');
      expect(await b.tryLock('a')).to.equal(null);
      expect(await rejection(b.lock('a', { waitMs: 5 }))).to.be.instanceOf(LockTimeoutError);
      const waiting = b.lock('a');
      await a.release();
      expect((await waiting).token).to.be.above(b.token);
    });

    it('admits the branches of one function one after the other', async () => {
      let inside = 0;
      const order: number[] = [];
      await client.locked('a', (handle) =>
        Promise.all(
          Array.from({ length: 5 }, (_, index) =>
            handle.locked('b', async () => {
              inside += 1;
              expect(inside).to.equal(1);
              order.push(index);
              await other.rpc('ping');
              inside -= 1;
            }),
          ),
        ),
      );
      expect(order).to.deep.equal([0, 1, 2, 3, 4]);
      await isFree('a');
      await isFree('b');
    });

    it('lets branches that ask the client exclude each other', async () => {
      let inside = 0;
      await client.locked('a', () =>
        Promise.all(
          Array.from({ length: 5 }, () =>
            client.locked('b', async () => {
              inside += 1;
              expect(inside).to.equal(1);
              await other.rpc('ping');
              inside -= 1;
            }),
          ),
        ),
      );
    });

    it('keeps it when its own lock is released', async () => {
      const handle = await client.lock('a');
      const further = await handle.lock('b');
      const waiting = handle.lock('c');
      await handle.release();
      expect(further.isHeld).to.equal(true);
      expect(await waiting).to.include({ isHeld: true, owner: further.owner });
    });

    it('is refused after its release', async () => {
      const handle = await client.lock('a');
      const released = handle.release();
      for (const refused of [handle.lock('b'), handle.lock('a'), handle.tryLock('b'), handle.locked('b', () => 1)]) {
        await isInvalid(refused, 'the handle of "a" was released; it takes no further lock');
      }
      await released;
    });

    it('rejects with its loss when it is lost', async () => {
      const handle = await client.lock('a');
      const lost = whenLost(handle);
      proxy.cut();
      const loss = await lost;
      for (const refused of [handle.lock('b'), handle.lock('a'), handle.tryLock('b'), handle.locked('b', () => 1)]) {
        expect(await rejection(refused)).to.equal(loss);
      }
      await handle.release();
      expect(await rejection(handle.lock('b'))).to.equal(loss);
    });

    it('rejects with its loss when it is lost during the wait, and stops waiting', async () => {
      await other.lock('b');
      const handle = await client.lock('a');
      const branches = [
        rejection(handle.lock('b')),
        rejection(handle.lock('b', { signal: new AbortController().signal })),
      ];
      await client.rpc('ping');
      proxy.cut();
      for (const branch of branches) expect(await branch).to.equal(handle.signal.reason);
      expect(handle.signal.reason).to.be.instanceOf(LockLostError);
      await client.rpc('ping');
      await until(async () => (await other.inspect('b')).waiterCount === 0);
    });

    it('leaves no listener behind, and adds only one while many calls wait', async () => {
      await other.lock('b');
      const handle = await client.lock('a');
      const abort = new AbortController();
      const { signal } = abort;
      const names = Array.from({ length: 20 }, (_, index) => (index < 10 ? 'b' : `b ${index}`));
      const waiting = names.map((name) => handle.locked(name, () => client.rpc('ping'), { signal }).catch(() => name));
      for (const { length } of [getEventListeners(signal, 'abort'), getEventListeners(handle.signal, 'abort')]) {
        expect(length).to.equal(1);
      }
      abort.abort(new Error('enough'));
      await Promise.all(waiting);
      for (const { length } of [getEventListeners(signal, 'abort'), getEventListeners(handle.signal, 'abort')]) {
        expect(length).to.equal(0);
      }
    });

    it('still ends its wait by the signal of the call', async () => {
      await other.lock('b');
      const handle = await client.lock('a');
      const abort = new AbortController();
      const waiting = rejection(handle.lock('b', { signal: abort.signal }));
      const reason = new Error('enough');
      abort.abort(reason);
      expect(await waiting).to.equal(reason);
      expect(await rejection(handle.lock('a', { signal: abort.signal }))).to.equal(reason);
      expect(handle.isHeld).to.equal(true);
    });
  });

  it('reports no loss after its release, and always returns the same answer', async () => {
    const handle = await client.lock('jobs');
    expect(await handle.release()).to.equal(true);
    const disconnected = new Promise((resolve) => client.once('disconnect', resolve));
    proxy.cut();
    await disconnected;
    handle.throwIfLost();
    expect(handle.isHeld).to.equal(false);
    expect(handle.signal.aborted).to.equal(false);
    expect(await handle.end()).to.equal(undefined);
  });

  describe('of a lock that the server freed', () => {
    it('is no longer held: a function under it rejects, with its value', async () => {
      const outcome = client.locked('jobs', async () => {
        await client.rpc('unlockAll');
        return 42;
      });
      expect(await rejection(outcome))
        .to.be.instanceOf(LockLostError)
        .and.include({ code: 'forced', lockName: 'jobs', result: 42 });
    });

    it('passes on errors thrown under it', async () => {
      const thrown = new Error('from the function');
      const outcome = client.locked('jobs', async () => {
        await client.rpc('unlockAll');
        throw thrown;
      });
      expect(await rejection(outcome)).to.equal(thrown);
    });
  });

  it('is held no longer when the function under it has released it', async () => {
    const value = await client.locked('jobs', async (handle) => {
      await handle.release();
      expect(await other.tryLock('jobs')).to.include({ isHeld: true });
      return 'done';
    });
    expect(value).to.equal('done');
  });

  async function isInvalid(call: Promise<unknown>, message: string): Promise<void> {
    const error = await rejection(call);
    expect(error).to.be.instanceOf(LockInvalidError).and.include({ code: 'invalid' });
    expect((error as Error).message).to.include(message);
  }

  async function isFree(name: string): Promise<void> {
    expect(await other.inspect(name)).to.include({ holderCount: 0, waiterCount: 0 });
  }
});

function whenLost(handle: LockHandle): Promise<LockLostError> {
  return new Promise((resolve) => {
    handle.signal.addEventListener('abort', () => resolve(handle.signal.reason as LockLostError), { once: true });
  });
}
