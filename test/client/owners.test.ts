import { expect } from 'chai';
import { LockClosedError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { abortable, rejects } from '../support/rejection.ts';
import { client, clientScene, delayGrant, delayRequest, isFree, other, proxy } from './client-scene.ts';

const BATCH = { owner: 'batch' } as const;

describe('calls with one owner', () => {
  clientScene();

  it('are one owner to the server, and are granted the lock one after the other', async () => {
    const first = await client.lock('jobs', BATCH);
    expect((await other.inspect('jobs')).holders[0]).to.include({ owner: 'batch', token: first.token });
    const second = client.lock('jobs', BATCH);
    expect(await client.tryLock('jobs', BATCH)).to.equal(null);
    expect(await first.release()).to.equal(true);
    expect((await second).token).to.be.above(first.token);
  });

  it('are granted the lock in the order in which they asked', async () => {
    const order: number[] = [];
    const flow = async (index: number): Promise<void> => {
      order.push(index);
      await client.rpc('ping');
    };
    const indexes = [...Array(10).keys()];
    await Promise.all(indexes.map((index) => client.locked('jobs', () => flow(index), BATCH)));
    expect(order).to.deep.equal(indexes);
    await isFree();
  });

  it('end their wait for each other when waitMs are over', async () => {
    const held = await client.lock('jobs', BATCH);
    const message = 'the lock "jobs" was not granted within 10 ms: another branch of the same owner, batch, has it';
    await rejects(client.lock('jobs', { ...BATCH, waitMs: 10 }), LockTimeoutError, message);
    expect(await held.release()).to.equal(true);
    expect(await client.lock('jobs', BATCH)).to.include({ isHeld: true });
  });

  it('end their wait for each other by a signal, and the next one moves up', async () => {
    const held = await client.lock('jobs', BATCH);
    const given = abortable((signal) => client.lock('jobs', { ...BATCH, signal }));
    const next = client.lock('jobs', BATCH);
    await given.abort();
    await held.release();
    expect(await next).to.include({ isHeld: true });
  });

  it('end their wait for each other when the client is closed', async () => {
    await client.lock('jobs', BATCH);
    const waiting = rejects(client.lock('jobs', BATCH), LockClosedError);
    await client.close();
    await waiting;
  });

  it('admit the next one after one was refused', async () => {
    const held = await other.lock('jobs');
    const refused = rejects(client.lock('jobs', { ...BATCH, waitMs: 20 }), LockTimeoutError);
    const next = client.lock('jobs', BATCH);
    await refused;
    await held.release();
    expect(await next).to.include({ isHeld: true });
  });

  it('share the owner of a handle when they name it', async () => {
    const handle = await client.lock('jobs');
    const { owner } = handle;
    expect(await client.tryLock('jobs', { owner })).to.equal(null);
    const waiting = client.lock('jobs', { owner });
    expect(await handle.release()).to.equal(true);
    expect((await waiting).token).to.be.above(handle.token);
    expect(await waiting).to.include({ owner });
  });

  it('never share the fresh owner of another call, whatever name they use', async () => {
    const handles: LockHandle[] = [];
    for (let index = 0; index < 4; index += 1) {
      handles.push(
        await client.lock(`fresh ${index}`),
        await client.lock(`named ${index}`, { owner: String(index + 1) }),
      );
    }
    expect(new Set(handles.map(({ owner }) => owner)).size).to.equal(handles.length);
    for (const handle of handles) expect(await handle.release()).to.equal(true);
  });

  it('never name a fresh owner by a number, since that could be the tag of a caller', async () => {
    const fresh = await Promise.all([1, 2, 3, 4].map((index) => client.lock(`fresh ${index}`)));
    for (const { owner } of fresh) expect(owner).to.not.match(/^[0-9]+$/);
  });

  it('get the lock exclusively although a shared grant crosses the abort of the call before', async () => {
    const { asked } = await delayRequest(() =>
      abortable((signal) => client.lock('jobs', { ...BATCH, mode: 'shared', signal })),
    );
    await asked.abort();
    const next = client.lock('jobs', BATCH);
    proxy.free('toServer');
    const handle = await next;
    const { holders } = await other.inspect('jobs');
    expect(holders).to.have.lengthOf(1);
    expect(holders[0]).to.include({ mode: 'exclusive', token: handle.token });
    await handle.release();
    await isFree();
  });

  it('do not share the grant that crosses the abort of the call before', async () => {
    const { asked } = await delayGrant(() =>
      abortable((signal) => client.lock('jobs', { ...BATCH, signal, leaseMs: 60_000 })),
    );
    await asked.abort();
    const next = client.lock('jobs', BATCH);
    proxy.free('toClient');
    const { token } = await next;
    expect(token).to.be.above(2);
    expect((await other.inspect('jobs')).holders[0]).to.include({ token });
  });

  it('do not wait for the answer to an aborted call when the connection is cut', async () => {
    const { asked } = await delayRequest(() => abortable((signal) => client.lock('jobs', { ...BATCH, signal })));
    await asked.abort();
    const next = client.lock('jobs', BATCH);
    proxy.discard('toServer');
    proxy.cut();
    expect(await next).to.include({ isHeld: true });
  });
});
