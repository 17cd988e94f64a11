import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockLostError } from '../../lib/client/lock-error.ts';
import type { WebLockManager } from '../../lib/client/web-locks/web-locks.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';
import { HeldRequest } from './web-locks-scene.ts';

describe('the Web Locks API without the server', () => {
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

  it('ends what is held with an AbortError, and does not wait for the callback', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const far = await server.client({ port: proxy.port });
    const held = new HeldRequest(far.locks, 'jobs');
    await held.granted;
    const ended = rejection(held.settled);
    proxy.cut();
    isAbortError(await ended, 'connectionLost');
    held.fail(new Error('nobody listens any more'));
  });

  it('makes requests that wait again on the next connection', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const far = await server.client({ port: proxy.port, reconnect: { minDelayMs: 1 } });
    const held = new HeldRequest(locks, 'jobs');
    await held.granted;
    const waiting = far.locks.request('jobs', () => 'granted');
    await far.rpc('ping');
    const connected = new Promise<void>((resolve) => far.once('connect', resolve));
    proxy.cut();
    await connected;
    await far.rpc('ping');
    await until(async () => (await other.inspect('jobs')).waiterCount === 1);
    held.release();
    expect(await waiting).to.equal('granted');
  });

  it('tells that the lock was lost when the answer to giving it back is', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const far = await server.client({ port: proxy.port });
    const held = new HeldRequest(far.locks, 'jobs');
    await held.granted;
    proxy.delay('toServer');
    held.release('value');
    await proxy.holds('toServer');
    proxy.cut();
    const error = await rejection(held.settled);
    isAbortError(error, 'connectionLost');
    expect((error as Error).cause).to.have.property('result', 'value');
  });

  it('rejects as lock() does when there is none', async () => {
    const lazy = new LockClient({ path: '/no/such/socket', reconnect: false });
    whenTestEnds(() => lazy.close());
    for (const refused of [lazy.locks.request('jobs', () => {}), lazy.locks.query()]) {
      const error = await rejection(refused);
      expect(error).to.include({ code: 'unreachable' });
      expect(error).to.have.nested.property('cause.code', 'ENOENT');
    }
  });

  it('ends everything when the client is closed', async () => {
    const held = new HeldRequest(locks, 'held');
    await held.granted;
    const foreign = await other.lock('waited for');
    const waiting = rejection(locks.request('waited for', () => {}));
    const ended = rejection(held.settled);
    await client.rpc('ping');
    await client.close();
    isAbortError(await ended, 'closed');
    const error = await waiting;
    expect(error).to.be.instanceOf(DOMException).and.include({ name: 'AbortError' });
    expect((error as Error).cause).to.be.instanceOf(LockClosedError);
    await foreign.release();
  });

  function isAbortError(error: unknown, code: string): void {
    expect(error).to.be.instanceOf(DOMException).and.include({ name: 'AbortError', code: DOMException.ABORT_ERR });
    const { cause, message } = error as Error;
    expect(cause).to.be.instanceOf(LockLostError).and.include({ code });
    expect(message).to.equal((cause as Error).message);
  }
});
