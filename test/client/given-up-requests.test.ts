import { expect } from 'chai';
import { MessageError } from '../../lib/message/message-error.ts';
import { until } from '../server/raw-client.ts';
import { abortable, rejects } from '../support/rejection.ts';
import { client, clientScene, delayAnswer, delayGrant, delayRequest, other, proxy, waits } from './client-scene.ts';

/** Long enough for an answer that is not held back. */
const ANSWER_MS = 10_000;
const REQUEST = { lockName: 'jobs', owner: 'x' };

describe('a client that gave up a request', () => {
  clientScene();

  describe('by a signal', () => {
    it('releases a lock granted while the abort is on its way', async () => {
      const { asked } = await delayGrant(() => abortable((signal) => client.lock('jobs', { signal })));
      await asked.abort();
      proxy.free('toClient');
      await isFreeAgain();
      expect(await other.stats()).to.include({ grants: 3, releases: 3, cancelled: 0 });
    });

    it('releases a lock requested just before the abort', async () => {
      const { asked } = await delayRequest(() => abortable((signal) => client.lock('jobs', { signal })));
      await asked.abort();
      proxy.free('toServer');
      await client.rpc('ping');
      await isFreeAgain();
      expect((await other.stats()).requests).to.include({ lock: 2, cancel: 1, unlock: 2 });
    });

    it('leaves the queue even if the cancellation arrives late', async () => {
      const held = await other.lock('jobs');
      const waiting = abortable((signal) => client.lock('jobs', { signal }));
      await client.rpc('ping');
      proxy.delay('toServer');
      await waiting.abort();
      await proxy.holds('toServer');
      expect((await other.inspect('jobs')).waiterCount).to.equal(1);
      proxy.free('toServer');
      await waits(0);
      await held.release();
    });

    it('keeps the locks of its other flows', async () => {
      const kept = await client.lock('kept');
      const { asked } = await delayAnswer(() => abortable((signal) => client.lock('jobs', { signal })));
      await asked.abort();
      proxy.free('toClient');
      await isFreeAgain();
      expect((await other.inspect('kept')).holders[0]?.token).to.equal(kept.token);
      expect(await kept.release()).to.equal(true);
    });
  });

  describe('by a timeout of rpc', () => {
    it('leaves the queue', async () => {
      await other.lock('jobs');
      await timesOut({ lockName: 'jobs' }, 30);
      await client.rpc('ping');
      expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
      expect((await other.stats()).requests.cancel).to.equal(1);
    });

    it('releases a lock granted too late', async () => {
      for (const parameters of [{ lockName: 'jobs' }, { lockName: 'jobs', owner: 'x' }]) {
        await missAnswer(parameters);
        expect((await other.inspect('jobs')).holderCount).to.equal(1);
        proxy.free('toClient');
        await isFreeAgain();
      }
    });

    it('releases a permit granted too late, and not another permit of its own', async () => {
      const permit = { lockName: 'jobs', mode: 'permit', limit: 2 };
      await client.rpc('lock', { ...permit, owner: 'a' });
      await missAnswer({ ...permit, owner: 'b' });
      proxy.free('toClient');
      await until(async () => (await other.inspect('jobs')).holderCount === 1);
      expect((await other.inspect('jobs')).holders[0]?.owner).to.equal('a');
    });

    it('keeps a lock that it held before the second request', async () => {
      await client.rpc('lock', REQUEST);
      await missAnswer(REQUEST);
      proxy.free('toClient');
      // The late answer arrives before the first ping's answer, and any message that it caused before the second ping.
      await client.rpc('ping');
      await client.rpc('ping');
      expect(await other.inspect('jobs')).to.include({ holderCount: 1 });
      expect((await other.stats()).requests.unlock).to.equal(0);
    });

    it('keeps a lock that another request of the same owner got in the same grant', async () => {
      const { asked } = await delayGrant(() => [timesOut(REQUEST, 100), client.rpc('lock', REQUEST)] as const);
      await asked[0];
      proxy.free('toClient');
      expect(await asked[1]).to.include({ status: 'ok' });
      await client.rpc('ping');
      expect(await other.inspect('jobs')).to.include({ holderCount: 1 });
    });

    it('releases a lock left to another request when that is given up too', async () => {
      const ask = () => abortable((signal) => client.rpc('lock', REQUEST, { signal }));
      const { asked } = await delayGrant(ask);
      await asked.abort();
      const behindTheGrant = client.rpc('ping');
      await until(async () => (await other.stats()).requests.ping === 2);
      const again = await delayRequest(ask);
      proxy.free('toClient');
      await behindTheGrant;
      await again.asked.abort();
      proxy.free('toServer');
      await isFreeAgain();
    });

    it('releases a lock left to another request when that is refused', async () => {
      const shared = { ...REQUEST, mode: 'shared' };
      const { asked } = await delayRequest(() => abortable((signal) => client.rpc('lock', shared, { signal })));
      await asked.abort();
      const upgrade = client.rpc('lock', REQUEST);
      proxy.free('toServer');
      expect(await upgrade).to.include({ status: 'invalid' });
      await isFreeAgain();
    });

    it('ignores late answers to other commands', async () => {
      proxy.delay('toClient');
      for (const command of ['ping', 'stats', 'unlockAll', 'nothing']) {
        await rejects(client.rpc(command, {}, { timeoutMs: 5 }), MessageError, { code: 'timeout' });
      }
      await proxy.holds('toClient');
      proxy.free('toClient');
      expect(await client.rpc('ping')).to.deep.equal({ status: 'ok' });
      expect((await other.stats()).requests).to.include({ cancel: 0, unlock: 0, unlockAll: 1 });
    });
  });

  async function isFreeAgain(): Promise<void> {
    const handle = await other.lock('jobs', { waitMs: ANSWER_MS });
    expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
    await handle.release();
  }
});

/** Expects that a request for a lock gets no answer in time. */
async function timesOut(parameters: object, timeoutMs: number): Promise<void> {
  await rejects(client.rpc('lock', parameters, { timeoutMs }), MessageError, { code: 'timeout' });
}

/** Asks for a lock and gives up while the proxy holds the answer back. */
async function missAnswer(parameters: object): Promise<void> {
  const { asked } = await delayAnswer(() => timesOut(parameters, 30));
  await asked;
}
