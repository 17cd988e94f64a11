import { expect } from 'chai';
import { LockInvalidError, LockLostError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import { until } from '../server/raw-client.ts';
import { abortable, rejection, rejects } from '../support/rejection.ts';
import { client, clientScene, other, proxy, waits, whenLost } from './client-scene.ts';

describe('several locks at once', () => {
  clientScene({ switches: { forceUnlock: true } });

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
    await holdersAre(3);
    for (let time = 0; time < 2; time += 1) expect(await set.release()).to.equal(true);
    expect(set.isHeld).to.equal(false);
    await holdersAre(0);
  });

  it('are granted all or none', async () => {
    const held = await other.lock('b');
    expect(await client.tryLockAll(['a', 'b'])).to.equal(null);
    const waiting = client.lockAll(['a', 'b']);
    await client.rpc('ping');
    expect((await other.inspect('a')).holderCount).to.equal(0);
    await held.release();
    const set = await waiting;
    await holdersAre(2);
    await set.release();
    expect(await client.tryLockAll(['a', 'b'])).to.include({ isHeld: true });
  });

  it('end their wait when waitMs are over, or by a signal', async () => {
    await other.lock('b');
    for (const waitMs of [5, 0]) await rejects(client.lockAll(['a', 'b'], { waitMs }), LockTimeoutError);
    const waiting = abortable((signal) => client.lockAll(['a', 'b'], { signal }));
    await client.rpc('ping');
    await waiting.abort();
    await waits(0, 'b');
    expect((await other.inspect('a')).holderCount).to.equal(0);
  });

  it('are lost together as soon as one of them is', async () => {
    const set = await client.lockAll(['a', 'b']);
    const lost = whenLost(set);
    expect(await other.forceUnlock('b')).to.equal(1);
    expect(await lost).to.be.instanceOf(LockLostError);
    expect(await lost).to.include({ code: 'forced', lockName: 'b' });
    expect(() => set.throwIfLost()).to.throw(LockLostError);
    expect(set.isHeld).to.equal(false);
    expect(await set.release()).to.equal(false);
    await holdersAre(0);
  });

  it('are lost under a function: the error names the lost lock and has the value', async () => {
    for (const waitsForLoss of [true, false]) {
      const outcome = client.lockedAll(['a', 'b'], async (set) => {
        const lost = whenLost(set);
        await other.forceUnlock('b');
        if (waitsForLoss) await lost;
        return 'done';
      });
      await rejects(outcome, LockLostError, { code: 'forced', lockName: 'b', result: 'done' });
      await holdersAre(0);
    }
  });

  it('are lost with the connection', async () => {
    const lost = whenLost(await client.lockAll(['a', 'b']));
    proxy.cut();
    expect(await lost).to.include({ code: 'connectionLost' });
    await until(async () => (await other.stats()).holders === 0);
  });

  it('are released at the end of an await using block', async () => {
    {
      await using set = await client.lockAll(['a', 'b']);
      set.throwIfLost();
      expect(set.signal.aborted).to.equal(false);
    }
    await holdersAre(0);
  });

  it('guard a function: its value or its error is passed on, and all are released', async () => {
    expect(await client.lockedAll(['a', 'b'], (set) => set.handles.length)).to.equal(2);
    const thrown = new Error('from the function');
    const run = (): never => {
      throw thrown;
    };
    expect(await rejection(client.lockedAll(['a', 'b'], run))).to.equal(thrown);
    await holdersAre(0);
  });

  it('let their owner take further locks', async () => {
    const set = await client.lockAll(['a', 'b']);
    const [first] = set.handles;
    const further = await first?.lock('c');
    expect(further).to.include({ owner: first?.owner });
    expect(await first?.tryLock('b')).to.equal(null);
    await set.release();
    expect(further?.isHeld).to.equal(true);
  });

  it('can be released one by one', async () => {
    const set = await client.lockAll(['a', 'b']);
    expect(await set.handles[0]?.release()).to.equal(true);
    await holdersAre(1);
    expect(set.isHeld).to.equal(false);
    expect(await set.release()).to.equal(true);
    await holdersAre(0);
  });

  it('are refused when there are none, or one of them is there twice', async () => {
    for (const locks of [[], ['a', 'a'], ['a', { name: 'a', mode: 'shared' }]] as const) {
      await rejects(client.lockAll(locks), LockInvalidError);
    }
    await holdersAre(0);
  });

  async function holdersAre(count: number): Promise<void> {
    expect((await other.stats()).holders).to.equal(count);
  }
});

describe('a lock that is taken away', () => {
  clientScene({ switches: { forceUnlock: true } });

  it('by force is lost by all its holders, and they are told', async () => {
    const handles = [await client.lock('jobs', { mode: 'shared' }), await other.lock('jobs', { mode: 'shared' })];
    const losses = handles.map(whenLost);
    const waiting = client.lock('jobs');
    await client.rpc('ping');
    expect(await other.forceUnlock('jobs')).to.equal(2);
    expect(await waiting).to.include({ isHeld: true });
    for (const loss of losses)
      expect(await loss)
        .to.be.instanceOf(LockLostError)
        .and.include({ code: 'forced' });
    for (const handle of handles) expect(await handle.end()).to.include({ code: 'forced' });
  });

  it('by force can be a permit, or held by nobody', async () => {
    const permit = await client.lock('jobs', { mode: 'permit', limit: 1 });
    expect(await other.forceUnlock('jobs')).to.equal(0);
    expect(await other.forceUnlock('jobs', { mode: 'permit' })).to.equal(1);
    await client.rpc('ping');
    expect(permit.signal.reason).to.include({ code: 'forced' });
  });

  it('by steal is lost to its holder, and held by the client that stole it', async () => {
    const handle = await client.lock('jobs', { stealable: true });
    const waiting = client.lock('jobs');
    const stolen = await other.lock('jobs', { steal: true });
    await client.rpc('ping');
    const { reason } = handle.signal;
    expect(reason).to.be.instanceOf(LockLostError).and.include({ code: 'stolen', lockName: 'jobs' });
    expect(reason.message).to.equal('the lock "jobs" was lost: another took it');
    expect(stolen.token).to.be.above(handle.token);
    expect(await handle.release()).to.equal(false);
    expect(stolen.isHeld).to.equal(true);
    await stolen.release();
    expect(await waiting).to.include({ isHeld: true });
  });

  it('under a function rejects the call, with the value of the function', async () => {
    const run = async (): Promise<number> => {
      await other.lock('jobs', { steal: true });
      return 42;
    };
    const outcome = client.locked('jobs', run, { stealable: true });
    await rejects(outcome, LockLostError, { code: 'stolen', result: 42 });
  });
});
