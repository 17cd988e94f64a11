import { expect } from 'chai';
import { HoldfastDatastore, Lock } from '../../lib/datastores/index.ts';
import { until } from '../server/raw-client.ts';
import { rejection } from '../support/rejection.ts';
import { client, delayAnswer, emitted, LONG_MS, other, proxy, reset, tokensOf, waits } from './client-scene.ts';
import { expectLoss, HeldRequest, hold, locks, webLocksScene } from './web-locks-scene.ts';

const LEASE_MS = 1_500;

/** Of the client whose connection is reset. */
const KEPT = { reconnect: { minDelayMs: 1, maxDelayMs: 20 }, session: { timeoutMs: LONG_MS } };

/** Resets the connection and lets no other come. */
async function cutOff(): Promise<void> {
  proxy.refuse();
  await reset(client);
}

/** Lets the client come back; resolves when its session goes on. */
async function comeBack(): Promise<void> {
  const resumed = emitted(client, 'resume');
  proxy.admit();
  await resumed;
}

/** Resets the connection; resolves when the session goes on. */
async function resetAndResume(): Promise<void> {
  await cutOff();
  await comeBack();
}

describe('over a reset of the connection', () => {
  webLocksScene({ client: KEPT, limits: { minSessionTimeoutMs: 1, maxSessionTimeoutMs: LONG_MS } });

  describe('a request of the Web Locks API', () => {
    it('holds its lock, with the same token, and query() shows it', async () => {
      const held = await hold(locks, 'jobs');
      const tokens = await tokensOf('jobs');
      const shown = (await other.locks.query()).held;
      await cutOff();
      expect((await other.locks.query()).held).to.deep.equal(shown);
      const queried = locks.query();
      await comeBack();
      expect((await queried).held.map(({ name }) => name)).to.deep.equal(['jobs']);
      expect(await tokensOf('jobs')).to.deep.equal(tokens);
      held.release('done');
      expect(await held.settled).to.equal('done');
    });

    it('waits in its place, and is granted meanwhile', async () => {
      const held = await hold(other.locks, 'jobs');
      const waiting = new HeldRequest(locks, 'jobs');
      await waits(1);
      const behind = new HeldRequest(other.locks, 'jobs');
      await other.rpc('ping');
      await resetAndResume();
      expect((await locks.query()).pending).to.have.length(2);
      await cutOff();
      held.release();
      await held.settled;
      await until(async () => (await other.inspect('jobs')).waiterCount === 1);
      expect([waiting.isCalled, behind.isCalled]).to.deep.equal([false, false]);
      await comeBack();
      await waiting.granted;
      expect(behind.isCalled).to.equal(false);
      waiting.release('done');
      expect(await waiting.settled).to.equal('done');
      await behind.granted;
    });

    it('loses its lock to a thief meanwhile', async () => {
      const held = await hold(locks, 'jobs');
      await cutOff();
      await hold(other.locks, 'jobs', { steal: true });
      proxy.admit();
      expectLoss(await rejection(held.settled), 'stolen');
      expect(client.state).to.equal('connected');
    });

    it('steals a lock once, though the answer was lost', async () => {
      const held = await hold(other.locks, 'jobs');
      const { asked: thief } = await delayAnswer(() => new HeldRequest(locks, 'jobs', { steal: true }));
      expectLoss(await rejection(held.settled), 'stolen');
      const tokens = await tokensOf('jobs');
      proxy.discard('toClient');
      await reset(client);
      await thief.granted;
      expect(await tokensOf('jobs')).to.deep.equal(tokens);
      thief.release('done');
      expect(await thief.settled).to.equal('done');
    });

    it('ends its wait by its signal at once, and leaves nothing behind', async () => {
      await hold(other.locks, 'jobs');
      const abort = new AbortController();
      const waiting = new HeldRequest(locks, 'jobs', { signal: abort.signal });
      await waits(1);
      await cutOff();
      abort.abort('enough');
      expect(await rejection(waiting.settled)).to.equal('enough');
      await comeBack();
      await waits(0);
      expect(waiting.isCalled).to.equal(false);
    });
  });

  it('a term goes on, and so does the wait for one', async () => {
    const tokens: number[] = [];
    const lead = async (): Promise<void> => {
      for await (const term of client.terms('leader')) {
        tokens.push(term.token);
        if (tokens.length === 2) break;
        await resetAndResume();
        expect(await term.confirm()).to.equal(true);
      }
    };
    const ended = lead();
    await until(() => tokens.length === 1);
    const between = await other.lock('leader');
    await waits(1, 'leader');
    await resetAndResume();
    await between.release();
    await ended;
    expect(tokens).to.deep.equal([1, 3]);
  });

  it('a lease goes on, and a renewal waits for the next connection', async () => {
    const handle = await client.lock('jobs', { leaseMs: LEASE_MS });
    proxy.sent = '';
    await cutOff();
    // Set behind the timer of the renewal, so it comes after it.
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS / 3));
    expect(handle.isHeld).to.equal(true);
    await comeBack();
    await until(() => proxy.sent.includes('"lease":'));
    await until(async () => ((await other.stats()).requests.lock ?? 0) >= 2);
    expect(await handle.confirm()).to.equal(true);
    expect(await other.stats()).to.include({ expiredLeases: 0, grants: 1 });
    expect(await tokensOf('jobs')).to.deep.equal([handle.token]);
  });

  it('a lease ends in time while there is no connection, and its lock does not come back', async () => {
    const handle = await client.lock('jobs', { leaseMs: 150 });
    await cutOff();
    const next = await other.lock('jobs');
    expect(handle.isHeld).to.equal(false);
    expect(handle.signal.reason).to.include({ code: 'leaseOver' });
    await comeBack();
    expect(await tokensOf('jobs')).to.deep.equal([next.token]);
  });

  it('several locks are held, with the same tokens', async () => {
    const set = await client.lockAll(['a', { name: 'b', mode: 'permit', limit: 1 }, { name: 'c', mode: 'shared' }]);
    await resetAndResume();
    expect(await set.confirm()).to.equal(true);
    const tokens = [...(await tokensOf('a')), ...(await tokensOf('b')), ...(await tokensOf('c'))];
    expect(tokens).to.deep.equal(set.tokens);
    expect(await set.release()).to.equal(true);
    expect(await other.tryLockAll(['a', 'c'])).not.to.equal(null);
  });

  it('a request for several locks waits on, and is granted meanwhile', async () => {
    const held = [await other.lock('a'), await other.lock('b')] as const;
    const waiting = client.lockAll(['a', 'b']);
    await waits(1, 'a');
    await resetAndResume();
    await waits(1, 'b');
    await cutOff();
    for (const handle of held) await handle.release();
    await until(async () => (await other.inspect('b')).holderCount === 1);
    await comeBack();
    const set = await waiting;
    expect(set.isHeld).to.equal(true);
    expect([...(await tokensOf('a')), ...(await tokensOf('b'))]).to.deep.equal(set.tokens);
  });

  it('a lock of a datastore is kept, and can be released meanwhile', async () => {
    const [lock, next] = [client, other].map((each) => new Lock(new HoldfastDatastore(each), 'jobs')) as [Lock, Lock];
    expect(await lock.acquire()).to.equal(true);
    await resetAndResume();
    expect(await next.acquire()).to.equal(false);
    await cutOff();
    expect(await next.acquire()).to.equal(false);
    const released = lock.release();
    await comeBack();
    expect(await released).to.equal(true);
    expect(await next.acquire()).to.equal(true);
  });
});
