import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockLostError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import type { ServerEvent } from '../../lib/message/message-client.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startServerProgram } from '../server/running-program.ts';
import { LogRecorder, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';

describe('a lock is lost', () => {
  afterEach(endTest);

  it('when the connection is cut: the signals of all handles abort', async () => {
    const server = await startServer();
    const proxy = await DelayingProxy.start(server.port);
    const client = await server.client({ port: proxy.port, reconnect: false });
    const handles = [await client.lock('a'), await client.lock('b')];
    const losses = handles.map(whenLost);
    proxy.cut();
    for (const [index, loss] of losses.entries()) {
      const reason = await loss;
      expect(reason).to.be.instanceOf(LockLostError).and.include({ code: 'connectionLost', name: 'LockLostError' });
      expect(reason.message).to.equal(
        `the lock "${handles[index]?.name}" was lost: the connection to the server broke`,
      );
    }
    for (const handle of handles) expect(await handle.release()).to.equal(false);
    const other = await server.client();
    expect(await other.lock('a')).to.include({ name: 'a' });
    expect(await rejection(client.lock('a')))
      .to.be.instanceOf(LockClosedError)
      .and.include({ code: 'closed' });
  });

  it('when the server is killed', async () => {
    const { program, port } = await startServerProgram();
    const client = await LockClient.connect({ port, reconnect: false });
    whenTestEnds(() => client.close());
    const handle = await client.lock('jobs');
    const lost = whenLost(handle);
    const waiting = rejection(client.lock('jobs'));
    const closed = new Promise<void>((resolve) => client.once('close', resolve));
    program.signal('SIGKILL');
    expect(await lost).to.include({ code: 'connectionLost' });
    expect(await waiting)
      .to.be.instanceOf(MessageError)
      .and.include({ code: 'connectionLost' });
    expect(await handle.release()).to.equal(false);
    await closed;
    expect(client.state).to.equal('closed');
  });

  it('when the server stops without waiting for it', async () => {
    const server = await startServer();
    const client = await server.client();
    const lost = whenLost(await client.lock('jobs'));
    await server.server.close();
    expect(await lost).to.include({ code: 'connectionLost' });
  });

  it('when its client is closed', async () => {
    const server = await startServer();
    const [client, other] = [await server.client(), await server.client()];
    const handle = await client.lock('jobs');
    const lost = whenLost(handle);
    const waiting = other.lock('jobs');
    await client.close();
    const reason = await lost;
    expect(reason).to.be.instanceOf(LockLostError).and.include({ code: 'closed' });
    expect(reason.message).to.equal('the lock "jobs" was lost: the client was closed');
    expect(await handle.release()).to.equal(false);
    expect((await waiting).token).to.equal(2);
    expect(client.state).to.equal('closed');
    await client.close();
  });

  it('when its client is disposed of', async () => {
    const server = await startServer();
    const other = await server.client();
    let handle: LockHandle;
    {
      await using client = await server.client();
      handle = await client.lock('jobs');
    }
    expect(handle.signal.reason).to.include({ code: 'closed' });
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
  });

  it('when the lease is over that was asked for under its owner', async () => {
    const server = await startServer();
    const client = await server.client();
    const [handle, kept] = [await client.lock('jobs'), await client.lock('kept')];
    const lost = whenLost(handle);
    await client.rpc('lock', { lockName: 'jobs', owner: handle.owner, lease: 0.03 });
    const reason = await lost;
    expect(reason).to.be.instanceOf(LockLostError).and.include({ code: 'leaseOver' });
    expect(reason.message).to.equal('the lock "jobs" was lost: its lease was over');
    expect(await handle.release()).to.equal(false);
    expect(kept.signal.aborted).to.equal(false);
    expect(await kept.release()).to.equal(true);
  });

  it('by a command, one after the other: each is told of its own, also of what was taken after the first loss', async () => {
    const server = await startServer({}, new LogRecorder(), { forceUnlock: true });
    const [client, other] = [await server.client(), await server.client()];
    const take = (): Promise<LockHandle[]> => Promise.all(['a', 'b', 'c'].map((name) => client.lock(name)));
    for (let round = 0; round < 3; round += 1) {
      const [first, second, third] = (await take()) as [LockHandle, LockHandle, LockHandle];
      for (const handle of [first, second]) {
        const lost = whenLost(handle);
        expect(await other.forceUnlock(handle.name)).to.equal(1);
        expect(await lost).to.include({ code: 'forced', lockName: handle.name });
      }
      expect(third.signal.aborted).to.equal(false);
      expect(await third.release()).to.equal(true);
    }
  });

  it('without a handle, and the event tells of it', async () => {
    const server = await startServer();
    const client = await server.client();
    const told = new Promise<ServerEvent>((resolve) => client.once('event', resolve));
    const { token } = await client.rpc('lock', { lockName: 'jobs', owner: 'x', lease: 0.03 });
    expect(await told).to.deep.equal({
      event: 'lost',
      lockName: 'jobs',
      mode: 'exclusive',
      owner: 'x',
      token,
      reason: 'lease',
    });
  });

  it('once: who gave it back before is told nothing', async () => {
    const server = await startServer();
    const proxy = await DelayingProxy.start(server.port);
    const client = await server.client({ port: proxy.port });
    const handle = await client.lock('jobs');
    expect(await handle.release()).to.equal(true);
    const closed = new Promise((resolve) => client.once('disconnect', resolve));
    proxy.cut();
    await closed;
    expect(handle.signal.aborted).to.equal(false);
    expect(await handle.release()).to.equal(true);
  });

  it('while it is being given back: that ends with false', async () => {
    const server = await startServer();
    const proxy = await DelayingProxy.start(server.port);
    const client = await server.client({ port: proxy.port });
    const handle = await client.lock('jobs');
    proxy.delay('toClient');
    const released = handle.release();
    await proxy.holds('toClient');
    proxy.cut();
    expect(await released).to.equal(false);
    expect(handle.signal.aborted).to.equal(false);
  });

  it('before it was given back, which the server had not said yet: that ends with the reason', async () => {
    const server = await startServer();
    const proxy = await DelayingProxy.start(server.port);
    const client = await server.client({ port: proxy.port });
    const thief = await server.client();
    const handle = await client.lock('jobs', { stealable: true });
    proxy.delay('toClient');
    await thief.lock('jobs', { steal: true });
    await proxy.holds('toClient');
    const ended = handle.end();
    proxy.free('toClient');
    expect(await ended).to.include({ code: 'stolen' });
    expect((await thief.inspect('jobs')).holderCount).to.equal(1);
  });

  it('under a function that runs: the signal tells it, and its value is no result but comes with the error', async () => {
    const server = await startServer();
    const proxy = await DelayingProxy.start(server.port);
    const client = await server.client({ port: proxy.port });
    const outcome = client.locked('jobs', async (handle) => {
      const lost = whenLost(handle);
      proxy.cut();
      return (await lost).code;
    });
    expect(await rejection(outcome))
      .to.be.instanceOf(LockLostError)
      .and.include({ code: 'connectionLost', lockName: 'jobs', result: 'connectionLost' });
  });

  it('under a function that throws: that is passed on as it is', async () => {
    const server = await startServer();
    const proxy = await DelayingProxy.start(server.port);
    const client = await server.client({ port: proxy.port });
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

function whenLost(handle: LockHandle): Promise<LockLostError> {
  return new Promise((resolve) => {
    handle.signal.addEventListener('abort', () => resolve(handle.signal.reason as LockLostError), { once: true });
  });
}
