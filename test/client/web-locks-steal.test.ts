import { expect } from 'chai';
import { LockDeniedError, LockLostError } from '../../lib/client/lock-error.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { client, other, proxy } from './client-scene.ts';
import { expectLoss, HeldRequest, hold, locks, webLocksScene } from './web-locks-scene.ts';

const STEAL = { steal: true } as const;

describe('a steal by the Web Locks API', () => {
  webLocksScene();

  it('takes a lock that is free', async () => {
    expect(await locks.request('jobs', STEAL, (lock) => lock)).to.include({ name: 'jobs', mode: 'exclusive' });
    expect(await other.inspect('jobs')).to.include({ holderCount: 0 });
  });

  it('takes a lock away from its holder, of the same client or another', async () => {
    for (const holder of [client, other]) {
      const held = await hold(holder.locks, 'jobs');
      const isHeld = await locks.request('jobs', STEAL, async () => (await other.inspect('jobs')).holderCount === 1);
      expect(isHeld).to.equal(true);
      expectLoss(await rejection(held.settled), 'stolen');
    }
  });

  it('ends the request of the holder at once, and ignores the value or error of its callback', async () => {
    const [returning, throwing] = [new HeldRequest(locks, 'a'), new HeldRequest(locks, 'b')];
    await Promise.all([returning.granted, throwing.granted]);
    await Promise.all([other.locks.request('a', STEAL, () => {}), other.locks.request('b', STEAL, () => {})]);
    expectLoss(await rejection(returning.settled), 'stolen');
    expectLoss(await rejection(throwing.settled), 'stolen');
    returning.release('value');
    throwing.fail(new Error('from the callback'));
    expect(await locks.request('a', () => 'granted')).to.equal('granted');
  });

  it('passes waiting requests, and they are granted after it', async () => {
    const order: string[] = [];
    await hold(locks, 'jobs');
    const waiting = locks.request('jobs', () => order.push('waiting'));
    await locks.request('jobs', STEAL, async () => {
      expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 1 });
      order.push('stealing');
    });
    await waiting;
    expect(order).to.deep.equal(['stealing', 'waiting']);
  });

  it('ends requests made in the same turn, and their callbacks still run', async () => {
    const held = [new HeldRequest(locks, 'jobs'), new HeldRequest(locks, 'jobs', STEAL)];
    const last = new HeldRequest(locks, 'jobs', STEAL);
    for (const { settled, granted } of held) {
      expectLoss(await rejection(settled), 'stolen');
      expect(await granted).to.include({ name: 'jobs' });
    }
    await last.granted;
    expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
    last.release('value');
    expect(await last.settled).to.equal('value');
  });

  it('in the same turn as the grant also ends a request whose callback throws', async () => {
    const throwing = (): never => {
      throw new Error('from the callback');
    };
    const held = rejection(locks.request('jobs', throwing));
    await locks.request('jobs', STEAL, () => {});
    expectLoss(await held, 'stolen');
  });

  it('is reported to a holder even if its callback ends before the news arrives', async () => {
    const held = await hold(locks, 'jobs');
    proxy.delay('toClient');
    await hold(other.locks, 'jobs', STEAL);
    await proxy.holds('toClient');
    held.release('value');
    await Promise.resolve();
    proxy.free('toClient');
    const error = await rejection(held.settled);
    expectLoss(error, 'stolen');
    expect((error as Error).cause).to.have.property('result', 'value');
    expect((await other.inspect('jobs')).holderCount).to.equal(1);
  });

  it('is denied while the lock is also held with lock()', async () => {
    const handle = await other.lock('jobs', { mode: 'shared' });
    const held = await hold(locks, 'jobs', { mode: 'shared' });
    await rejects(
      locks.request('jobs', STEAL, () => {}),
      LockDeniedError,
    );
    expect(handle.isHeld).to.equal(true);
    held.release('value');
    expect(await held.settled).to.equal('value');
  });
});

describe('a steal where the server allows it to everybody', () => {
  webLocksScene({ switches: { forceUnlock: true } });

  it('takes a lock that was taken with lock()', async () => {
    const handle = await other.lock('jobs');
    await locks.request('jobs', STEAL, () => {});
    await other.rpc('ping');
    expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'stolen' });
  });
});
