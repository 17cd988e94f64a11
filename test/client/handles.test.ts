import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { LockInvalidError, LockLostError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import { until } from '../server/raw-client.ts';
import { abortable, rejection, rejects } from '../support/rejection.ts';
import { client, clientScene, emitted, isFree, other, proxy, whenLost } from './client-scene.ts';

describe('the handle of a lock', () => {
  clientScene();

  it('has its name, mode, token, count and owner', async () => {
    const permit = { mode: 'permit', limit: 3 } as const;
    const [first, second] = [await client.lock('jobs', permit), await other.lock('jobs', permit)];
    expect(first).to.include({ name: 'jobs', mode: 'permit', token: 1, count: 1, isHeld: true });
    expect(second).to.include({ name: 'jobs', mode: 'permit', token: 2, count: 2, isHeld: true });
    expect(await client.lock('list', { mode: 'shared' })).to.include({ mode: 'shared', count: 1 });
    expect(await other.lock('list', { mode: 'shared' })).to.include({ mode: 'shared', count: 2 });
    expect((await other.inspect('jobs')).holders.map(({ owner }) => owner)).to.deep.equal([first.owner, second.owner]);
  });

  it('limits a rate by its count: a call too many is refused or waits', async () => {
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
      for (const released of [handle, again, again]) expect(await released.release()).to.equal(true);
      expect(await other.tryLock('jobs')).to.equal(null);
      expect(tried?.isHeld).to.equal(true);
      expect(await tried?.release()).to.equal(true);
      await isFree();
    });

    it('leaves no lock behind when the function under it throws', async () => {
      const thrown = new Error('from the function');
      const run = (): never => {
        throw thrown;
      };
      expect(await rejection(client.locked('jobs', (handle) => handle.locked('jobs', run)))).to.equal(thrown);
      await isFree();
    });

    it('may ask for a weaker mode, but not for a stronger one', async () => {
      const writer = await client.lock('jobs');
      expect(await writer.lock('jobs', { mode: 'shared' })).to.include({ mode: 'exclusive' });
      const reader = await client.lock('list', { mode: 'shared' });
      expect(await reader.lock('list', { mode: 'shared' })).to.include({ mode: 'shared', token: reader.token });
      for (const call of [reader.lock('list'), reader.tryLock('list')]) {
        await isInvalid(call, 'mode is "exclusive"; expected "shared", since the handle holds the lock shared');
      }
    });

    it('may not ask for a lease or steal', async () => {
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
      for (const each of [again, handle]) expect(await each.release()).to.equal(false);
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
      expect(await handle.lock('b', { mode: 'shared' })).to.include({ owner: handle.owner, mode: 'shared' });
      expect((await other.inspect('b')).holders[0]).to.include({ owner: handle.owner });
    });

    it('does not enter a lock held by another handle of its owner', async () => {
      const a = await client.lock('a');
      const b = await a.lock('b');
      expect(await b.tryLock('a')).to.equal(null);
      await rejects(b.lock('a', { waitMs: 5 }), LockTimeoutError);
      const waiting = b.lock('a');
      await a.release();
      expect((await waiting).token).to.be.above(b.token);
    });

    it('admits the branches of one function one after the other', async () => {
      let inside = 0;
      const order: number[] = [];
      const branch = async (index: number): Promise<void> => {
        inside += 1;
        expect(inside).to.equal(1);
        order.push(index);
        await other.rpc('ping');
        inside -= 1;
      };
      const indexes = [0, 1, 2, 3, 4];
      await client.locked('a', (handle) => Promise.all(indexes.map((at) => handle.locked('b', () => branch(at)))));
      expect(order).to.deep.equal(indexes);
      for (const name of ['a', 'b']) await isFree(name);
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
      const { signal } = new AbortController();
      const branches = [rejection(handle.lock('b')), rejection(handle.lock('b', { signal }))];
      await client.rpc('ping');
      proxy.cut();
      for (const branch of branches) expect(await branch).to.equal(handle.signal.reason);
      expect(handle.signal.reason).to.be.instanceOf(LockLostError);
      await client.rpc('ping');
      await until(async () => (await other.inspect('b')).waiterCount === 0);
    });

    it('adds one listener to a signal for any number of waiting calls, and leaves none behind', async () => {
      await other.lock('b');
      const handle = await client.lock('a');
      const abort = new AbortController();
      const { signal } = abort;
      const listeners = (): number[] => [signal, handle.signal].map((each) => getEventListeners(each, 'abort').length);
      const names = Array.from({ length: 20 }, (_, index) => (index < 10 ? 'b' : `b ${index}`));
      const waiting = names.map((name) => handle.locked(name, () => client.rpc('ping'), { signal }).catch(() => name));
      expect(listeners()).to.deep.equal([1, 1]);
      abort.abort(new Error('enough'));
      await Promise.all(waiting);
      expect(listeners()).to.deep.equal([0, 0]);
    });

    it('ends its wait when the signal of the call aborts', async () => {
      await other.lock('b');
      const handle = await client.lock('a');
      const waiting = abortable((signal) => handle.lock('b', { signal }));
      await waiting.abort();
      const reason = new Error('before');
      expect(await rejection(handle.lock('a', { signal: AbortSignal.abort(reason) }))).to.equal(reason);
      expect(handle.isHeld).to.equal(true);
    });
  });

  it('reports no loss after its release, and always returns the same answer', async () => {
    const handle = await client.lock('jobs');
    expect(await handle.release()).to.equal(true);
    const cut = emitted(client, 'disconnect');
    proxy.cut();
    await cut;
    handle.throwIfLost();
    expect(handle.isHeld).to.equal(false);
    expect(handle.signal.aborted).to.equal(false);
    expect(await handle.end()).to.equal(undefined);
    expect(await handle.release()).to.equal(true);
  });

  it('rejects a function under a lock that the server freed, with the value of the function', async () => {
    const outcome = client.locked('jobs', async () => {
      await client.rpc('unlockAll');
      return 42;
    });
    await rejects(outcome, LockLostError, { code: 'forced', lockName: 'jobs', result: 42 });
  });

  async function isInvalid(call: Promise<unknown>, message: string): Promise<void> {
    const error = await rejects(call, LockInvalidError, { code: 'invalid' });
    expect(error.message).to.include(message);
  }
});
