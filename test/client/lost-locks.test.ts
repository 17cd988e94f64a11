import { expect } from 'chai';
import { LockClosedError, LockLostError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { until } from '../server/raw-client.ts';
import { startServerProgram } from '../server/running-program.ts';
import { rejection, rejects } from '../support/rejection.ts';
import {
  client,
  clientScene,
  delayAnswer,
  emitted,
  lazyClient,
  other,
  proxy,
  throughProxy,
  whenLost,
} from './client-scene.ts';

describe('a lock is lost', () => {
  clientScene({ switches: { forceUnlock: true } });

  it('when the connection is cut: the signals of all handles abort', async () => {
    const cut = await throughProxy({ reconnect: false });
    const handles = [await cut.lock('a'), await cut.lock('b')];
    const losses = handles.map(whenLost);
    proxy.cut();
    for (const [index, loss] of losses.entries()) {
      const name = handles[index]?.name;
      expect(await loss).to.be.instanceOf(LockLostError);
      expect(await loss).to.include({
        code: 'connectionLost',
        name: 'LockLostError',
        message: `the lock "${name}" was lost: the connection to the server broke`,
      });
    }
    for (const handle of handles) expect(await handle.release()).to.equal(false);
    expect(await other.lock('a')).to.include({ name: 'a' });
    await rejects(cut.lock('a'), LockClosedError, { code: 'closed' });
  });

  it('when the server is killed', async () => {
    const { program, port } = await startServerProgram();
    const cut = lazyClient({ port, reconnect: false });
    const handle = await cut.lock('jobs');
    const lost = whenLost(handle);
    const waiting = rejects(cut.lock('jobs'), MessageError, { code: 'connectionLost' });
    const closed = emitted(cut, 'close');
    program.signal('SIGKILL');
    expect(await lost).to.include({ code: 'connectionLost' });
    await waiting;
    expect(await handle.release()).to.equal(false);
    await closed;
    expect(cut.state).to.equal('closed');
  });

  it('when its client is closed', async () => {
    const handle = await client.lock('jobs');
    const lost = whenLost(handle);
    const waiting = other.lock('jobs');
    await client.close();
    expect(await lost).to.be.instanceOf(LockLostError);
    expect(await lost).to.include({ code: 'closed', message: 'the lock "jobs" was lost: the client was closed' });
    expect(await handle.release()).to.equal(false);
    expect((await waiting).token).to.equal(2);
    expect(client.state).to.equal('closed');
    await client.close();
  });

  it('when its client is disposed of', async () => {
    let handle: LockHandle;
    {
      await using disposed = await throughProxy();
      handle = await disposed.lock('jobs');
    }
    expect(handle.signal.reason).to.include({ code: 'closed' });
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
  });

  it('when a lease is over that another call of its owner asked for', async () => {
    const [handle, kept] = [await client.lock('jobs'), await client.lock('kept')];
    const lost = whenLost(handle);
    await client.rpc('lock', { lockName: 'jobs', owner: handle.owner, lease: 0.03 });
    expect(await lost).to.be.instanceOf(LockLostError);
    expect(await lost).to.include({ code: 'leaseOver', message: 'the lock "jobs" was lost: its lease was over' });
    expect(await handle.release()).to.equal(false);
    expect(kept.signal.aborted).to.equal(false);
    expect(await kept.release()).to.equal(true);
  });

  it('by force, one after the other: each handle reports only its own loss, in several rounds', async () => {
    for (let round = 0; round < 3; round += 1) {
      const [first, second, third] = [await client.lock('a'), await client.lock('b'), await client.lock('c')];
      for (const handle of [first, second]) {
        const lost = whenLost(handle);
        expect(await other.forceUnlock(handle.name)).to.equal(1);
        expect(await lost).to.include({ code: 'forced', lockName: handle.name });
      }
      expect(third.signal.aborted).to.equal(false);
      expect(await third.release()).to.equal(true);
    }
  });

  it('before it was released, and the server had not said so yet: the release tells the reason', async () => {
    const handle = await client.lock('jobs', { stealable: true });
    await (await delayAnswer(() => other.lock('jobs', { steal: true }))).asked;
    const ended = handle.end();
    proxy.free('toClient');
    expect(await ended).to.include({ code: 'stolen' });
    expect((await other.inspect('jobs')).holderCount).to.equal(1);
  });

  it('under a function: its signal aborts, and its value comes with the error', async () => {
    const outcome = client.locked('jobs', async (handle) => {
      const lost = whenLost(handle);
      proxy.cut();
      return (await lost).code;
    });
    const loss = { code: 'connectionLost', lockName: 'jobs', result: 'connectionLost' };
    await rejects(outcome, LockLostError, loss);
  });

  it('under a function that throws: the call rejects with the error that it threw', async () => {
    const thrown = new Error('from the function');
    const outcome = client.locked('jobs', async (handle) => {
      const lost = whenLost(handle);
      proxy.cut();
      await lost;
      throw thrown;
    });
    expect(await rejection(outcome)).to.equal(thrown);
  });
});
