import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockInvalidError, LockLostError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import type { LockSet } from '../../lib/client/lock-set.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { LogRecorder, type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';

describe('several locks at once', () => {
  let server: RunningServer;
  let proxy: DelayingProxy;
  let client: LockClient;
  let other: LockClient;

  beforeEach(async () => {
    server = await startServer({}, new LogRecorder(), { forceUnlock: true });
    proxy = await DelayingProxy.start(server.port);
    client = await server.client({ port: proxy.port });
    other = await server.client();
  });
  afterEach(endTest);

  it('are held by one owner, each with a handle, in the order in which they were asked for', async () => {
    const set = await client.lockAll(['b', { name: 'a', mode: 'shared' }, { name: 'b', mode: 'permit', limit: 2 }]);
    expect(set.name).to.equal('b, a, b');
    expect(set.handles.map(({ name, mode, count }) => ({ name, mode, count }))).to.deep.equal([
      { name: 'b', mode: 'exclusive', count: 1 },
      { name: 'a', mode: 'shared', count: 1 },
      { name: 'b', mode: 'permit', count: 1 },
    ]);
    expect(set.tokens).to.deep.equal(set.handles.map(({ token }) => token));
    expect(new Set(set.handles.map(({ owner }) => owner)).size).to.equal(1);
    expect(set.isHeld).to.equal(true);
    expect((await other.stats()).holders).to.equal(3);
    expect(await set.release()).to.equal(true);
    expect(await set.release()).to.equal(true);
    expect(set.isHeld).to.equal(false);
    expect((await other.stats()).holders).to.equal(0);
  });

  it('are granted all or none', async () => {
    const held = await other.lock('b');
    expect(await client.tryLockAll(['a', 'b'])).to.equal(null);
    const waiting = client.lockAll(['a', 'b']);
    await client.rpc('ping');
    expect((await other.inspect('a')).holderCount).to.equal(0);
    await held.release();
    const set = await waiting;
    expect((await other.stats()).holders).to.equal(2);
    await set.release();
    expect(await client.tryLockAll(['a', 'b'])).to.include({ isHeld: true });
  });

  it('end their wait when waitMs are over, or by a signal', async () => {
    await other.lock('b');
    expect(await rejection(client.lockAll(['a', 'b'], { waitMs: 5 }))).to.be.instanceOf(LockTimeoutError);
    expect(await rejection(client.lockAll(['a', 'b'], { waitMs: 0 }))).to.be.instanceOf(LockTimeoutError);
    const abort = new AbortController();
    const waiting = rejection(client.lockAll(['a', 'b'], { signal: abort.signal }));
    await client.rpc('ping');
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await waiting).to.equal(reason);
    await client.rpc('ping');
    expect((await other.inspect('b')).waiterCount).to.equal(0);
    expect((await other.inspect('a')).holderCount).to.equal(0);
  });

  it('never wait for each other in a circle, whatever the order of their names', async () => {
    let inside = 0;
    const flow = (names: readonly string[]): Promise<void> =>
      client.lockedAll(names, async () => {
        inside += 1;
        expect(inside).to.equal(1);
        await other.rpc('ping');
        inside -= 1;
      });
    await Promise.all(Array.from({ length: 20 }, (_, index) => flow(index % 2 === 0 ? ['a', 'b'] : ['b', 'a'])));
    expect((await other.stats()).holders).to.equal(0);
  });

  it('are lost together as soon as one of them is', async () => {
    const set = await client.lockAll(['a', 'b']);
    const lost = whenLost(set);
    expect(await other.forceUnlock('b')).to.equal(1);
    expect(await lost)
      .to.be.instanceOf(LockLostError)
      .and.include({ code: 'forced', lockName: 'b' });
    expect(() => set.throwIfLost()).to.throw(LockLostError);
    expect(set.isHeld).to.equal(false);
    expect(await set.release()).to.equal(false);
    expect((await other.stats()).holders).to.equal(0);
  });

  it('are lost under a function: the error names the one that was lost', async () => {
    const outcome = client.lockedAll(['a', 'b'], async (set) => {
      const lost = whenLost(set);
      await other.forceUnlock('b');
      await lost;
      return 'done';
    });
    expect(await rejection(outcome))
      .to.be.instanceOf(LockLostError)
      .and.include({ code: 'forced', lockName: 'b', result: 'done' });
    expect((await other.stats()).holders).to.equal(0);
  });

  it('are lost with the connection', async () => {
    const set = await client.lockAll(['a', 'b']);
    const lost = whenLost(set);
    proxy.cut();
    expect(await lost).to.include({ code: 'connectionLost' });
    await until(async () => (await other.stats()).holders === 0);
  });

  it('are given back at the end of an await using block', async () => {
    {
      await using set = await client.lockAll(['a', 'b']);
      set.throwIfLost();
      expect(set.signal.aborted).to.equal(false);
    }
    expect((await other.stats()).holders).to.equal(0);
  });

  it('guard a function: its value is passed on, what it throws too, and all are given back', async () => {
    expect(await client.lockedAll(['a', 'b'], (set) => set.handles.length)).to.equal(2);
    const thrown = new Error('from the function');
    const outcome = client.lockedAll(['a', 'b'], () => {
      throw thrown;
    });
    expect(await rejection(outcome)).to.equal(thrown);
    expect((await other.stats()).holders).to.equal(0);
  });

  it('guard a function: its value is none when one of them was lost', async () => {
    const outcome = client.lockedAll(['a', 'b'], async () => {
      await other.forceUnlock('a');
      return 42;
    });
    expect(await rejection(outcome))
      .to.be.instanceOf(LockLostError)
      .and.include({ code: 'forced', result: 42 });
    expect((await other.stats()).holders).to.equal(0);
  });

  it('let further locks be taken as their owner', async () => {
    const set = await client.lockAll(['a', 'b']);
    const [first] = set.handles;
    const further = await first?.lock('c');
    expect(further).to.include({ owner: first?.owner });
    expect(await first?.tryLock('b')).to.equal(null);
    await set.release();
    expect(further?.isHeld).to.equal(true);
  });

  it('can be given back one by one', async () => {
    const set = await client.lockAll(['a', 'b']);
    expect(await set.handles[0]?.release()).to.equal(true);
    expect((await other.stats()).holders).to.equal(1);
    expect(set.isHeld).to.equal(false);
    expect(await set.release()).to.equal(true);
    expect((await other.stats()).holders).to.equal(0);
  });

  it('are refused when they are none, or one of them twice', async () => {
    expect(await rejection(client.lockAll([]))).to.be.instanceOf(LockInvalidError);
    expect(await rejection(client.lockAll(['a', 'a']))).to.be.instanceOf(LockInvalidError);
    expect(await rejection(client.lockAll(['a', { name: 'a', mode: 'shared' }]))).to.be.instanceOf(LockInvalidError);
    expect((await other.stats()).holders).to.equal(0);
  });
});

describe('a lock that is taken away', () => {
  let server: RunningServer;
  let client: LockClient;
  let other: LockClient;

  beforeEach(async () => {
    server = await startServer({}, new LogRecorder(), { forceUnlock: true });
    client = await server.client();
    other = await server.client();
  });
  afterEach(endTest);

  it('by force is lost to all its holders, who are told', async () => {
    const handles = [await client.lock('jobs', { mode: 'shared' }), await other.lock('jobs', { mode: 'shared' })];
    const waiting = client.lock('jobs');
    await client.rpc('ping');
    expect(await other.forceUnlock('jobs')).to.equal(2);
    expect(await waiting).to.include({ isHeld: true });
    for (const handle of handles) {
      await until(async () => handle.signal.aborted);
      expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'forced' });
      expect(await handle.end()).to.include({ code: 'forced' });
    }
  });

  it('by force can be a permit, or held by nobody', async () => {
    const permit = await client.lock('jobs', { mode: 'permit', limit: 1 });
    expect(await other.forceUnlock('jobs')).to.equal(0);
    expect(await other.forceUnlock('jobs', { mode: 'permit' })).to.equal(1);
    await client.rpc('ping');
    expect(permit.signal.reason).to.include({ code: 'forced' });
  });

  it('by steal is lost to its holder, and held by who stole it', async () => {
    const handle = await client.lock('jobs', { stealable: true });
    const waiting = client.lock('jobs');
    const stolen = await other.lock('jobs', { steal: true });
    await client.rpc('ping');
    expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'stolen', lockName: 'jobs' });
    expect(handle.signal.reason.message).to.equal('the lock "jobs" was lost: another took it');
    expect(stolen.token).to.be.above(handle.token);
    expect(await handle.release()).to.equal(false);
    expect(stolen.isHeld).to.equal(true);
    await stolen.release();
    expect(await waiting).to.include({ isHeld: true });
  });

  it('under a function that runs says so with its value', async () => {
    const outcome = client.locked(
      'jobs',
      async () => {
        await other.lock('jobs', { steal: true });
        return 42;
      },
      { stealable: true },
    );
    expect(await rejection(outcome))
      .to.be.instanceOf(LockLostError)
      .and.include({ code: 'stolen', result: 42 });
  });
});

function whenLost(set: LockSet): Promise<LockLostError> {
  return new Promise((resolve) => {
    set.signal.addEventListener('abort', () => resolve(set.signal.reason as LockLostError), { once: true });
  });
}
