import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockDeniedError, LockLostError } from '../../lib/client/lock-error.ts';
import type { WebLockManager } from '../../lib/client/web-locks/web-locks.ts';
import { endTest } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';
import { HeldRequest } from './web-locks-scene.ts';

const STEAL = { steal: true } as const;

describe('a steal by the Web Locks API', () => {
  let server: RunningServer;
  let client: LockClient;
  let other: LockClient;
  let locks: WebLockManager;

  beforeEach(async () => {
    server = await startServer();
    client = await server.client();
    other = await server.client();
    locks = client.locks;
  });
  afterEach(endTest);

  it('takes a lock that is free', async () => {
    expect(await locks.request('jobs', STEAL, (lock) => lock)).to.include({ name: 'jobs', mode: 'exclusive' });
    expect(await other.inspect('jobs')).to.include({ holderCount: 0 });
  });

  it('takes a lock away from its holder, of the same client or another', async () => {
    for (const holder of [client, other]) {
      const held = new HeldRequest(holder.locks, 'jobs');
      await held.granted;
      const isHeld = await locks.request('jobs', STEAL, async () => (await other.inspect('jobs')).holderCount === 1);
      expect(isHeld).to.equal(true);
      isStolen(await rejection(held.settled));
    }
  });

  it('takes a lock away from all who share it', async () => {
    const held = [client, other, other].map((holder) => new HeldRequest(holder.locks, 'jobs', { mode: 'shared' }));
    await Promise.all(held.map(({ granted }) => granted));
    await locks.request('jobs', STEAL, () => {});
    for (const { settled } of held) isStolen(await rejection(settled));
  });

  it('ends the request of the holder at once: what its callback returns or throws is ignored', async () => {
    const [returning, throwing] = [new HeldRequest(locks, 'a'), new HeldRequest(locks, 'b')];
    await Promise.all([returning.granted, throwing.granted]);
    await Promise.all([other.locks.request('a', STEAL, () => {}), other.locks.request('b', STEAL, () => {})]);
    isStolen(await rejection(returning.settled));
    isStolen(await rejection(throwing.settled));
    returning.release('value');
    throwing.fail(new Error('from the callback'));
    expect(await locks.request('a', () => 'granted')).to.equal('granted');
  });

  it('comes before those who wait, and they come after it', async () => {
    const order: string[] = [];
    const held = new HeldRequest(locks, 'jobs');
    await held.granted;
    const waiting = locks.request('jobs', () => order.push('waiting'));
    await locks.request('jobs', STEAL, async () => {
      expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 1 });
      order.push('stealing');
    });
    await waiting;
    expect(order).to.deep.equal(['stealing', 'waiting']);
  });

  it('is stolen from in turn: the last one has the lock', async () => {
    const [first, second] = [new HeldRequest(locks, 'jobs', STEAL), new HeldRequest(other.locks, 'jobs', STEAL)];
    await second.granted;
    isStolen(await rejection(first.settled));
    const third = new HeldRequest(locks, 'jobs', STEAL);
    await third.granted;
    isStolen(await rejection(second.settled));
    third.release('value');
    expect(await third.settled).to.equal('value');
  });

  it('ends what was requested in the same turn, whose callbacks run all the same', async () => {
    const held = [new HeldRequest(locks, 'jobs'), new HeldRequest(locks, 'jobs', STEAL)];
    const last = new HeldRequest(locks, 'jobs', STEAL);
    for (const { settled, granted } of held) {
      isStolen(await rejection(settled));
      expect(await granted).to.include({ name: 'jobs' });
    }
    await last.granted;
    expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
    last.release('value');
    expect(await last.settled).to.equal('value');
  });

  it('in the same turn as the grant ends a request also whose callback throws', async () => {
    const throwing = (): never => {
      throw new Error('from the callback');
    };
    const held = rejection(locks.request('jobs', throwing));
    await locks.request('jobs', STEAL, () => {});
    isStolen(await held);
  });

  it('is told to a holder whose callback ends while that is on its way', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const far = await server.client({ port: proxy.port });
    const held = new HeldRequest(far.locks, 'jobs');
    await held.granted;
    proxy.delay('toClient');
    const stolen = new HeldRequest(locks, 'jobs', STEAL);
    await stolen.granted;
    await proxy.holds('toClient');
    held.release('value');
    await Promise.resolve();
    proxy.free('toClient');
    const error = await rejection(held.settled);
    isStolen(error);
    expect((error as Error).cause).to.have.property('result', 'value');
    expect((await other.inspect('jobs')).holderCount).to.equal(1);
  });

  it('is denied against those who hold the lock otherwise, whatever else holds it', async () => {
    const handle = await other.lock('jobs', { mode: 'shared' });
    const held = new HeldRequest(locks, 'jobs', { mode: 'shared' });
    await held.granted;
    expect(await rejection(locks.request('jobs', STEAL, () => {}))).to.be.instanceOf(LockDeniedError);
    expect(handle.isHeld).to.equal(true);
    held.release('value');
    expect(await held.settled).to.equal('value');
  });

  it('is granted against everybody where the server is set to allow that', async () => {
    const open = await startServer({}, undefined, { forceUnlock: true });
    const [holder, stealing] = [await open.client(), await open.client()];
    const handle = await holder.lock('jobs');
    await stealing.locks.request('jobs', STEAL, () => {});
    await holder.rpc('ping');
    expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'stolen' });
  });

  it('by an administrator ends a request just as well', async () => {
    const open = await startServer({}, undefined, { forceUnlock: true });
    const [holder, administrator] = [await open.client(), await open.client()];
    const held = new HeldRequest(holder.locks, 'jobs');
    await held.granted;
    expect(await administrator.forceUnlock('jobs')).to.equal(1);
    const error = (await rejection(held.settled)) as Error;
    expect(error).to.be.instanceOf(DOMException).and.include({ name: 'AbortError' });
    expect(error.cause).to.include({ code: 'forced' });
  });

  function isStolen(error: unknown): void {
    expect(error).to.be.instanceOf(DOMException).and.include({ name: 'AbortError' });
    const { cause, message } = error as Error;
    expect(cause).to.be.instanceOf(LockLostError).and.include({ code: 'stolen' });
    expect(message).to.equal((cause as Error).message);
  }
});
