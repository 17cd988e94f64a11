import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockTimeoutError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { endTest } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';

describe('calls with one owner', () => {
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

  it('are one owner to the server, and let each other in one after the other', async () => {
    const first = await client.lock('jobs', { owner: 'batch' });
    expect((await other.inspect('jobs')).holders[0]).to.include({ owner: 'batch', token: first.token });
    const second = client.lock('jobs', { owner: 'batch' });
    expect(await client.tryLock('jobs', { owner: 'batch' })).to.equal(null);
    expect(await first.release()).to.equal(true);
    expect((await second).token).to.be.above(first.token);
  });

  it('are let in in the order in which they asked', async () => {
    const order: number[] = [];
    const flows = Array.from({ length: 10 }, (_, index) =>
      client.locked(
        'jobs',
        async () => {
          order.push(index);
          await client.rpc('ping');
        },
        { owner: 'batch' },
      ),
    );
    await Promise.all(flows);
    expect(order).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await isFree('jobs');
  });

  it('do not keep each other from other locks, nor from the permit of the same name', async () => {
    const held = await client.lock('jobs', { owner: 'batch' });
    for (const further of [
      await client.lock('other', { owner: 'batch' }),
      await client.lock('jobs', { owner: 'batch', mode: 'permit', limit: 1 }),
    ]) {
      expect(further.owner).to.equal(held.owner);
    }
  });

  it('end their wait for each other when waitMs are over', async () => {
    const held = await client.lock('jobs', { owner: 'batch' });
    const error = await rejection(client.lock('jobs', { owner: 'batch', waitMs: 10 }));
    expect(error).to.be.instanceOf(LockTimeoutError).and.include({ code: 'timeout' });
    expect((error as Error).message).to.equal(
      'the lock "jobs" was not granted within 10 ms: another branch of the same owner, batch, has it',
    );
    expect(await held.release()).to.equal(true);
    expect(await client.lock('jobs', { owner: 'batch' })).to.include({ isHeld: true });
  });

  it('end their wait for each other by a signal, and the next one moves up', async () => {
    const held = await client.lock('jobs', { owner: 'batch' });
    const abort = new AbortController();
    const given = rejection(client.lock('jobs', { owner: 'batch', signal: abort.signal }));
    const next = client.lock('jobs', { owner: 'batch' });
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await given).to.equal(reason);
    await held.release();
    expect(await next).to.include({ isHeld: true });
  });

  it('end their wait for each other when the client is closed', async () => {
    await client.lock('jobs', { owner: 'batch' });
    const waiting = rejection(client.lock('jobs', { owner: 'batch' }));
    await client.close();
    expect(await waiting).to.include({ code: 'closed' });
  });

  it('go on with the next one after one was refused', async () => {
    const held = await other.lock('jobs');
    const refused = rejection(client.lock('jobs', { owner: 'batch', waitMs: 20 }));
    const next = client.lock('jobs', { owner: 'batch' });
    expect(await refused).to.include({ code: 'timeout' });
    await held.release();
    expect(await next).to.include({ isHeld: true });
  });

  it('share the owner of a handle when they name it', async () => {
    const handle = await client.lock('jobs');
    expect(await client.tryLock('jobs', { owner: handle.owner })).to.equal(null);
    const waiting = client.lock('jobs', { owner: handle.owner });
    expect(await handle.release()).to.equal(true);
    const second = await waiting;
    expect(second.token).to.be.above(handle.token);
    expect(second.owner).to.equal(handle.owner);
  });

  it('never share the fresh owner of another call, whatever name they use', async () => {
    const handles: LockHandle[] = [];
    for (let index = 0; index < 4; index += 1) {
      const named = await client.lock(`named ${index}`, { owner: String(index + 1) });
      const fresh = await client.lock(`fresh ${index}`);
      expect(fresh.owner).to.not.equal(named.owner);
      handles.push(named, fresh);
    }
    for (const handle of handles) expect(await handle.release()).to.equal(true);
  });

  it('never come upon a fresh owner by a number, which others would take for a part of a deadlock', async () => {
    const fresh = await Promise.all([1, 2, 3, 4].map((index) => client.lock(`fresh ${index}`)));
    const named = await Promise.all([1, 2, 3, 4].map((key) => client.lock(`named ${key}`, { owner: String(key) })));
    for (const { owner } of fresh) expect(named.map((handle) => handle.owner)).to.not.include(owner);
  });

  it('ask for a lock exclusively although a shared grant crosses the abort of the call before', async () => {
    proxy.delay('toServer');
    const abort = new AbortController();
    const given = rejection(client.lock('jobs', { owner: 'batch', mode: 'shared', signal: abort.signal }));
    await proxy.holds('toServer');
    abort.abort();
    expect(await given).to.have.property('name', 'AbortError');
    const next = client.lock('jobs', { owner: 'batch' });
    proxy.free('toServer');
    const handle = await next;
    expect((await other.inspect('jobs')).holders).to.have.lengthOf(1);
    expect((await other.inspect('jobs')).holders[0]).to.include({ mode: 'exclusive', token: handle.token });
    await handle.release();
    await isFree('jobs');
  });

  it('do not share the grant that crosses the abort of the call before', async () => {
    const held = await other.lock('jobs');
    const abort = new AbortController();
    const given = rejection(client.lock('jobs', { owner: 'batch', signal: abort.signal, leaseMs: 60_000 }));
    await client.rpc('ping');
    proxy.delay('toClient');
    await held.release();
    await proxy.holds('toClient');
    abort.abort();
    await given;
    const next = client.lock('jobs', { owner: 'batch' });
    proxy.free('toClient');
    const handle = await next;
    expect(handle.token).to.be.above(held.token + 1);
    expect((await other.inspect('jobs')).holders[0]).to.include({ token: handle.token });
  });

  it('wait no longer for the answer to a call that was given up when the connection is cut', async () => {
    proxy.delay('toServer');
    const abort = new AbortController();
    const given = rejection(client.lock('jobs', { owner: 'batch', signal: abort.signal }));
    await proxy.holds('toServer');
    abort.abort();
    await given;
    const next = client.lock('jobs', { owner: 'batch' });
    proxy.discard('toServer');
    proxy.cut();
    expect(await next).to.include({ isHeld: true });
  });

  async function isFree(name: string): Promise<void> {
    expect(await other.inspect(name)).to.include({ holderCount: 0, waiterCount: 0 });
  }
});
