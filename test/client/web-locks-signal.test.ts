import { expect } from 'chai';
import { LockClosedError } from '../../lib/client/lock-error.ts';
import { until } from '../server/raw-client.ts';
import { rejection } from '../support/rejection.ts';
import { delayAnswer, isFree, other, proxy, waits } from './client-scene.ts';
import { HeldRequest, hold, locks, webLocksScene } from './web-locks-scene.ts';

describe('the Web Locks API by a signal', () => {
  webLocksScene();

  it('that has aborted before: rejects with its reason without asking', async () => {
    let calls = 0;
    for (const signal of [AbortSignal.abort(), AbortSignal.abort('My dog ate it.')]) {
      const request = locks.request('jobs', { signal }, () => {
        calls += 1;
      });
      expect(await rejection(request)).to.equal(signal.reason);
    }
    expect(AbortSignal.abort().reason).to.be.instanceOf(DOMException).and.include({ name: 'AbortError' });
    expect(calls).to.equal(0);
    expect((await other.stats()).requests.lock).to.equal(0);
  });

  it('ends a waiting request with its reason, and the next one moves up', async () => {
    for (const reason of [undefined, 'My cat handled it.', new LockClosedError()]) {
      const reader = new HeldRequest(locks, 'jobs', { mode: 'shared' });
      const controller = new AbortController();
      const writer = new HeldRequest(locks, 'jobs', { signal: controller.signal });
      const next = locks.request('jobs', { mode: 'shared' }, () => 'granted');
      await waits(2);
      controller.abort(reason);
      expect(await rejection(writer.settled)).to.equal(controller.signal.reason);
      expect(await next).to.equal('granted');
      expect(writer.isCalled).to.equal(false);
      reader.release();
      await reader.settled;
      await isFree();
    }
  });

  it('that aborts at once: ends the request although the lock is free', async () => {
    const controller = new AbortController();
    const held = new HeldRequest(locks, 'jobs', { signal: controller.signal });
    const next = locks.request('jobs', () => 'granted');
    controller.abort();
    expect(await rejection(held.settled)).to.equal(controller.signal.reason);
    expect(await next).to.equal('granted');
    expect(held.isCalled).to.equal(false);
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
  });

  it('that aborts while the grant is on its way: releases the lock without calling back', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const { asked: held } = await delayAnswer(() => new HeldRequest(locks, 'jobs', { signal }));
    controller.abort('too late');
    expect(await rejection(held.settled)).to.equal('too late');
    proxy.free('toClient');
    expect(await other.locks.request('jobs', () => 'granted')).to.equal('granted');
    expect(held.isCalled).to.equal(false);
  });

  it('that aborts between the grant and the callback: releases the lock without calling back', async () => {
    const controller = new AbortController();
    const order: string[] = [];
    const first = locks.request('jobs', { mode: 'shared' }, () => {
      order.push('first');
      controller.abort('meanwhile');
    });
    const { signal } = controller;
    const second = rejection(locks.request('jobs', { mode: 'shared', signal }, () => order.push('second')));
    await first;
    expect(await second).to.equal('meanwhile');
    expect(order).to.deep.equal(['first']);
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
  });

  it('that aborts after the grant: does nothing', async () => {
    const controller = new AbortController();
    const held = await hold(locks, 'jobs', { signal: controller.signal });
    controller.abort();
    expect(await other.tryLock('jobs')).to.equal(null);
    held.release('resolved');
    expect(await held.settled).to.equal('resolved');
  });
});
