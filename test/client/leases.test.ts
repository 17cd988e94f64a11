import { expect } from 'chai';
import { LockInvalidError, LockLostError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { until } from '../server/raw-client.ts';
import { rejection, rejects } from '../support/rejection.ts';
import {
  client,
  clientScene,
  delayRequest,
  LONG_MS,
  other,
  proxy,
  server,
  tokensOf,
  whenLost,
} from './client-scene.ts';
import { LockProcess } from './lock-process.ts';

/** Over soon. */
const SHORT_MS = 120;
/** Long enough for a few requests before its end. */
const MEDIUM_MS = 600;

describe('the lease of a lock', () => {
  clientScene();

  it('is renewed as long as the lock is held', async () => {
    // Long enough for a busy machine.
    const leaseMs = 2 * MEDIUM_MS;
    const permit = { mode: 'permit', limit: 1 } as const;
    const handles = [await client.lock('jobs', { leaseMs }), await client.lock('jobs', { leaseMs, ...permit })];
    // At the fifth renewal the lease of the grant is long over.
    await until(async () => {
      const { requests, expiredLeases } = await other.stats();
      return expiredLeases > 0 || (requests.lock ?? 0) >= handles.length * 6;
    });
    expect(await other.stats()).to.include({ expiredLeases: 0, grants: 2 });
    for (const handle of handles) {
      expect(handle.isHeld).to.equal(true);
      expect(await handle.release()).to.equal(true);
    }
  });

  it('is no longer renewed when the lock was released', async () => {
    const handle = await client.lock('jobs', { leaseMs: SHORT_MS });
    await handle.release();
    proxy.sent = '';
    // A renewal of the released lock would come before the first renewal of this lease.
    await other.lock('clock', { leaseMs: MEDIUM_MS });
    await until(async () => ((await other.stats()).requests.lock ?? 0) === 3);
    expect(proxy.sent).to.equal('');
  });

  it('ends for the client before another has the lock, when renewals do not arrive', async () => {
    const handle = await client.lock('jobs', { leaseMs: SHORT_MS });
    const waiting = other.lock('jobs');
    proxy.delay('toServer');
    const next = await waiting;
    expect(handle.signal.aborted).to.equal(true);
    expect(handle.isHeld).to.equal(false);
    expect(() => handle.throwIfLost()).to.throw(LockLostError, 'the lock "jobs" was lost: its lease was over');
    expect(next.token).to.be.above(handle.token);
  });

  it('ends for the client by the time at which the last answered renewal was sent', async () => {
    const handle = await client.lock('jobs', { leaseMs: SHORT_MS });
    const order: string[] = [];
    const lost = whenLost(handle);
    handle.signal.addEventListener('abort', () => order.push('lost'));
    const waiting = other.lock('jobs').then(() => order.push('granted'));
    proxy.delay('toClient');
    expect(await lost).to.include({ code: 'leaseOver' });
    await waiting;
    expect(order).to.deep.equal(['lost', 'granted']);
    expect(await handle.release()).to.equal(false);
  });

  it('does not last longer for the client when the answer to a renewal is late', async () => {
    const handle = await client.lock('jobs', { leaseMs: MEDIUM_MS });
    const order: string[] = [];
    handle.signal.addEventListener('abort', () => order.push('lost'));
    const waiting = other.lock('jobs').then(() => order.push('granted'));
    proxy.delay('toClient');
    await proxy.holds('toClient');
    const answered = performance.now();
    await until(() => performance.now() - answered > MEDIUM_MS / 3);
    // No further renewal arrives.
    proxy.delay('toServer');
    proxy.free('toClient');
    await waiting;
    expect(order).to.deep.equal(['lost', 'granted']);
  });

  it('ends for a flow that keeps the process busy', async () => {
    const handle = await client.lock('jobs', { leaseMs: SHORT_MS });
    const work = (): void => {
      for (;;) handle.throwIfLost();
    };
    expect(work).to.throw(LockLostError).with.property('code', 'leaseOver');
    expect(handle.signal.aborted).to.equal(true);
    expect(await handle.release()).to.equal(false);
  });

  it('ends for a process that was paused, before it does anything else', async () => {
    const paused = new LockProcess(server.port);
    expect(await paused.tell({ do: 'lock', name: 'jobs', leaseMs: MEDIUM_MS })).to.equal('held');
    expect(await paused.tell({ do: 'check' })).to.equal('still held');
    paused.signal('SIGSTOP');
    const handle = await other.lock('jobs');
    const answer = paused.tell({ do: 'check' });
    paused.signal('SIGCONT');
    expect(await answer).to.equal('the lock "jobs" was lost: its lease was over');
    expect(handle.isHeld).to.equal(true);
    expect((await other.inspect('jobs')).holders[0]?.token).to.equal(handle.token);
  });

  it('is confirmed before a lock is handed out after a long wait', async () => {
    const held = await other.lock('jobs');
    let handle: LockHandle | undefined;
    const waiting = client.lock('jobs', { leaseMs: MEDIUM_MS }).then((granted) => {
      handle = granted;
    });
    await hasWaited(MEDIUM_MS / 2);
    proxy.sent = '';
    proxy.delay('toServer');
    await held.release();
    await proxy.holds('toServer');
    await other.rpc('ping');
    expect(handle).to.equal(undefined);
    proxy.free('toServer');
    await waiting;
    expect(handle).to.include({ isHeld: true });
    expect(proxy.sent).to.include('"lease":');
  });

  it('starts anew for a lock that was waited for longer than it lasts', async () => {
    const held = await other.lock('jobs');
    const waiting = client.lock('jobs', { leaseMs: MEDIUM_MS });
    await hasWaited(MEDIUM_MS * 1.5);
    await held.release();
    const handle = await waiting;
    expect(handle.isHeld).to.equal(true);
    expect((await other.inspect('jobs')).holders[0]?.token).to.equal(handle.token);
  });

  it('lets a call end by its signal while the lease is being confirmed', async () => {
    const held = await other.lock('jobs');
    const abort = new AbortController();
    let error: unknown;
    const given = rejection(client.lock('jobs', { leaseMs: MEDIUM_MS, signal: abort.signal })).then((reason) => {
      error = reason;
    });
    await hasWaited(MEDIUM_MS / 2);
    proxy.delay('toServer');
    await held.release();
    await proxy.holds('toServer');
    abort.abort();
    await other.rpc('ping');
    expect(error).to.have.property('name', 'AbortError');
    await given;
    proxy.free('toServer');
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
    expect(await other.stats()).to.include({ expiredLeases: 0 });
  });

  it('is not started again by a renewal that arrives after its end', async () => {
    await outliveRenewal({ owner: 'batch' });
    proxy.free('toServer');
    await until(async () => (await other.stats()).grants === 2);
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
    // The second hold was released before its own lease was over.
    expect(await other.stats()).to.include({ expiredLeases: 1, releases: 1 });
  });

  it('does not give its owner the lock that a late renewal took again', async () => {
    await outliveRenewal({ owner: 'batch' });
    const next = client.lock('jobs', { owner: 'batch' });
    proxy.free('toServer');
    const { token } = await next;
    await client.rpc('ping');
    expect(await tokensOf('jobs')).to.deep.equal([token]);
  });

  it('is asked for again when it was over before the grant arrived', async () => {
    proxy.delay('toClient');
    const asked = client.lock('jobs', { leaseMs: MEDIUM_MS });
    await until(async () => (await other.stats()).expiredLeases === 1);
    proxy.free('toClient');
    const handle = await asked;
    expect(handle.isHeld).to.equal(true);
    await client.rpc('ping');
    expect(await tokensOf('jobs')).to.deep.equal([handle.token]);
  });

  it('is the reason that a release returns when the lease ended on the way', async () => {
    const handle = await client.lock('jobs');
    await client.rpc('lock', { lockName: 'jobs', owner: handle.owner, lease: SHORT_MS / 1_000 });
    const { asked } = await delayRequest(() => handle.end());
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
    proxy.free('toServer');
    expect(await asked).to.include({ code: 'leaseOver' });
  });

  it('is renewed while the server waits for the holders before it stops', async () => {
    const handle = await client.lock('jobs', { leaseMs: MEDIUM_MS });
    const closed = server.server.close({ drainMs: LONG_MS });
    const before = renewals();
    await until(async () => {
      await client.rpc('ping');
      return renewals() >= before + 5;
    });
    expect(await handle.release()).to.equal(true);
    await closed;
  });

  it('is a number above 0', async () => {
    for (const leaseMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e13]) {
      const message = `leaseMs is ${leaseMs}; expected a number above 0, up to 1e12`;
      await rejects(client.lock('jobs', { leaseMs }), LockInvalidError, message);
    }
    const message = 'leaseMs is "1000"; expected a number above 0, up to 1e12';
    await rejects(client.lock('jobs', JSON.parse('{"leaseMs":"1000"}')), LockInvalidError, message);
  });

  it('ends the call after waitMs when every answer comes after its end', async () => {
    const message = / within 50 ms: its lease was over each time before the answer came$/;
    await rejects(client.lock('jobs', { leaseMs: 1e-3, waitMs: 50 }), LockTimeoutError, message);
    await rejects(client.tryLock('jobs', { leaseMs: 1e-3 }), LockTimeoutError);
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
  });

  /** Takes a lock and returns when its lease is over, while a renewal is held back on its way to the server. */
  async function outliveRenewal(options: { readonly owner: string }): Promise<void> {
    const lost = whenLost(await client.lock('jobs', { leaseMs: SHORT_MS, ...options }));
    proxy.delay('toServer');
    await lost;
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
  }

  /** Renewals that the client sent. */
  function renewals(): number {
    return proxy.sent.split('"lease":').length - 2;
  }

  /** The first in the queue, by the server's clock. */
  async function hasWaited(ms: number): Promise<void> {
    await until(async () => ((await other.inspect('jobs')).waiters[0]?.waitedMs ?? 0) > ms);
  }
});
