import { expect } from 'chai';
import { LockClosedError } from '../../lib/client/lock-error.ts';
import { until } from '../server/raw-client.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { AT_ONCE, client, delayRequest, emitted, lazyClient, other, proxy } from './client-scene.ts';
import { expectLoss, hold, locks, webLocksScene } from './web-locks-scene.ts';

describe('the Web Locks API without the server', () => {
  webLocksScene({ client: { reconnect: AT_ONCE } });

  it('ends held requests with an AbortError, and does not wait for the callback', async () => {
    const held = await hold(locks, 'jobs');
    const ended = rejection(held.settled);
    proxy.cut();
    expectLoss(await ended, 'connectionLost');
    held.fail(new Error('nobody listens any more'));
  });

  it('repeats waiting requests on the next connection', async () => {
    const held = await hold(other.locks, 'jobs');
    const waiting = locks.request('jobs', () => 'granted');
    await client.rpc('ping');
    const connected = emitted(client, 'connect');
    proxy.cut();
    await connected;
    await client.rpc('ping');
    await until(async () => (await other.inspect('jobs')).waiterCount === 1);
    held.release();
    expect(await waiting).to.equal('granted');
  });

  it('reports the lock as lost when the connection breaks during the release', async () => {
    const held = await hold(locks, 'jobs');
    await delayRequest(() => held.release('value'));
    proxy.cut();
    proxy.discard('toServer');
    const error = await rejection(held.settled);
    expectLoss(error, 'connectionLost');
    expect((error as Error).cause).to.have.property('result', 'value');
  });

  it('rejects as lock() does when there is no server', async () => {
    const lazy = lazyClient({ path: '/no/such/socket', reconnect: false });
    for (const refused of [lazy.locks.request('jobs', () => {}), lazy.locks.query()]) {
      const error = await rejection(refused);
      expect(error).to.include({ code: 'unreachable' });
      expect(error).to.have.nested.property('cause.code', 'ENOENT');
    }
  });

  it('ends everything when the client is closed', async () => {
    const held = await hold(locks, 'held');
    const foreign = await other.lock('waited for');
    const waiting = rejects(
      locks.request('waited for', () => {}),
      DOMException,
      { name: 'AbortError' },
    );
    const ended = rejection(held.settled);
    await client.rpc('ping');
    await client.close();
    expectLoss(await ended, 'closed');
    expect((await waiting).cause).to.be.instanceOf(LockClosedError);
    await foreign.release();
  });
});
