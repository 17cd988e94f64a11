import { expect } from 'chai';
import { LockClosedError, LockLostError } from '../../lib/client/lock-error.ts';
import { until } from '../server/raw-client.ts';
import { rejects } from '../support/rejection.ts';
import {
  AT_ONCE,
  client,
  clientScene,
  delayGrant,
  emitted,
  isFree,
  LONG_MS,
  other,
  proxy,
  reset,
} from './client-scene.ts';

describe('a client that closes when its locks are released', () => {
  clientScene({ client: { reconnect: AT_ONCE } });

  it('waits for held locks to be released, and then ends', async () => {
    const handle = await client.lock('jobs');
    const waiting = rejects(client.lock('jobs'), LockClosedError);
    let isClosed = false;
    const closed = client.close({ drainMs: LONG_MS }).then(() => {
      isClosed = true;
    });
    await waiting;
    await rejects(client.lock('a'), LockClosedError);
    await rejects(handle.lock('a'), LockClosedError);
    await other.rpc('ping');
    expect([isClosed, client.state, handle.isHeld]).to.deep.equal([false, 'closing', true]);
    expect(await handle.release()).to.equal(true);
    await closed;
    await isFree();
  });

  it('lets a function under a lock end and return its value', async () => {
    let closed: Promise<void> | undefined;
    const outcome = client.locked('jobs', async () => {
      closed = client.close({ drainMs: LONG_MS });
      await other.rpc('ping');
      return 'done';
    });
    expect(await outcome).to.equal('done');
    await closed;
  });

  it('ends at once when nothing is held', async () => {
    await client.close({ drainMs: LONG_MS });
    expect(client.state).to.equal('closed');
  });

  it('takes away locks that were not released in time', async () => {
    const handle = await client.lock('jobs');
    await client.close({ drainMs: 5 });
    expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'closed' });
    expect(await handle.release()).to.equal(false);
  });

  it('keeps its locks when the connection is reset meanwhile', async () => {
    const handle = await client.lock('jobs');
    const resumed = emitted(client, 'resume');
    const closed = client.close({ drainMs: LONG_MS });
    await reset(client);
    await resumed;
    expect([client.state, await handle.confirm()]).to.deep.equal(['closing', true]);
    expect(await handle.release()).to.equal(true);
    await closed;
    await isFree();
  });

  it('keeps its locks when it has no connection at first', async () => {
    const handle = await client.lock('jobs');
    proxy.refuse();
    await reset(client);
    await emitted(client, 'error');
    const resumed = emitted(client, 'resume');
    const closed = client.close({ drainMs: LONG_MS });
    proxy.admit();
    await resumed;
    expect(await handle.release()).to.equal(true);
    await closed;
    await isFree();
  });

  it('ends when the server ends the session meanwhile', async () => {
    const handle = await client.lock('jobs');
    const closed = client.close({ drainMs: LONG_MS });
    proxy.cut();
    await closed;
    expect(handle.signal.reason).to.include({ code: 'connectionLost' });
    expect(client.state).to.equal('closed');
  });

  it('releases a lock granted while it closes', async () => {
    await client.lock('kept');
    const { asked } = await delayGrant(() => rejects(client.lock('jobs'), LockClosedError));
    const closed = client.close({ drainMs: LONG_MS });
    await asked;
    proxy.free('toClient');
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
    expect((await other.inspect('kept')).holderCount).to.equal(1);
    proxy.cut();
    await closed;
  });
});
