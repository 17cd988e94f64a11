import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';

/** Long enough for an answer that is not held back. */
const ANSWER_MS = 10_000;

describe('a client that gave up a request', () => {
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

  describe('by a signal', () => {
    it('releases a lock granted while the abort is on its way', async () => {
      const held = await other.lock('jobs');
      const abort = new AbortController();
      const waiting = rejection(client.lock('jobs', { signal: abort.signal }));
      await client.rpc('ping');
      proxy.delay('toClient');
      await held.release();
      await proxy.holds('toClient');
      abort.abort();
      expect(await waiting).to.have.property('name', 'AbortError');
      proxy.free('toClient');
      await isFreeFor(other);
      expect(await other.stats()).to.include({ grants: 3, releases: 3, cancelled: 0 });
    });

    it('releases a lock requested just before the abort', async () => {
      proxy.delay('toServer');
      const abort = new AbortController();
      const waiting = rejection(client.lock('jobs', { signal: abort.signal }));
      await proxy.holds('toServer');
      abort.abort();
      expect(await waiting).to.have.property('name', 'AbortError');
      proxy.free('toServer');
      await client.rpc('ping');
      await isFreeFor(other);
      expect((await other.stats()).requests).to.include({ lock: 2, cancel: 1, unlock: 2 });
    });

    it('leaves the queue even if the cancellation arrives late', async () => {
      const held = await other.lock('jobs');
      const abort = new AbortController();
      const waiting = rejection(client.lock('jobs', { signal: abort.signal }));
      await client.rpc('ping');
      proxy.delay('toServer');
      abort.abort();
      expect(await waiting).to.have.property('name', 'AbortError');
      await proxy.holds('toServer');
      expect((await other.inspect('jobs')).waiterCount).to.equal(1);
      proxy.free('toServer');
      await client.rpc('ping');
      expect((await other.inspect('jobs')).waiterCount).to.equal(0);
      await held.release();
    });

    it('keeps the locks of its other flows', async () => {
      const kept = await client.lock('kept');
      proxy.delay('toClient');
      const abort = new AbortController();
      const waiting = rejection(client.lock('jobs', { signal: abort.signal }));
      await proxy.holds('toClient');
      abort.abort();
      await waiting;
      proxy.free('toClient');
      await isFreeFor(other);
      expect((await other.inspect('kept')).holders[0]?.token).to.equal(kept.token);
      expect(await kept.release()).to.equal(true);
    });
  });

  describe('by a timeout of rpc', () => {
    it('leaves the queue', async () => {
      await other.lock('jobs');
      const error = await rejection(client.rpc('lock', { lockName: 'jobs' }, { timeoutMs: 30 }));
      expect(error).to.be.instanceOf(MessageError).and.include({ code: 'timeout' });
      await client.rpc('ping');
      expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
      expect((await other.stats()).requests.cancel).to.equal(1);
    });

    it('releases a lock granted too late', async () => {
      for (const parameters of [{ lockName: 'jobs' }, { lockName: 'jobs', owner: 'x' }]) {
        proxy.delay('toClient');
        const given = rejection(client.rpc('lock', parameters, { timeoutMs: 30 }));
        await proxy.holds('toClient');
        expect(await given)
          .to.be.instanceOf(MessageError)
          .and.include({ code: 'timeout' });
        expect((await other.inspect('jobs')).holderCount).to.equal(1);
        proxy.free('toClient');
        await isFreeFor(other);
      }
    });

    it('releases a permit granted too late, and not another permit of its own', async () => {
      const permit = { lockName: 'jobs', mode: 'permit', limit: 2 };
      await client.rpc('lock', { ...permit, owner: 'a' });
      proxy.delay('toClient');
      await rejection(client.rpc('lock', { ...permit, owner: 'b' }, { timeoutMs: 30 }));
      await proxy.holds('toClient');
      proxy.free('toClient');
      await until(async () => (await other.inspect('jobs')).holderCount === 1);
      expect((await other.inspect('jobs')).holders[0]?.owner).to.equal('a');
    });

    it('keeps a lock that it held before the second request', async () => {
      await client.rpc('lock', { lockName: 'jobs', owner: 'x' });
      proxy.delay('toClient');
      const again = rejection(client.rpc('lock', { lockName: 'jobs', owner: 'x' }, { timeoutMs: 30 }));
      await proxy.holds('toClient');
      expect(await again)
        .to.be.instanceOf(MessageError)
        .and.include({ code: 'timeout' });
      proxy.free('toClient');
      // The late answer came before this one, and any message that it caused reaches the server before the next.
      await client.rpc('ping');
      await client.rpc('ping');
      expect(await other.inspect('jobs')).to.include({ holderCount: 1 });
      expect((await other.stats()).requests.unlock).to.equal(0);
    });

    it('keeps a lock that another request of the same owner got in the same grant', async () => {
      const held = await other.lock('jobs');
      const request = { lockName: 'jobs', owner: 'x' };
      const given = rejection(client.rpc('lock', request, { timeoutMs: 100 }));
      const waiting = client.rpc('lock', request);
      await client.rpc('ping');
      proxy.delay('toClient');
      await held.release();
      await proxy.holds('toClient');
      expect(await given)
        .to.be.instanceOf(MessageError)
        .and.include({ code: 'timeout' });
      proxy.free('toClient');
      expect(await waiting).to.include({ status: 'ok' });
      await client.rpc('ping');
      expect(await other.inspect('jobs')).to.include({ holderCount: 1 });
    });

    it('releases a lock left to another request when that is given up too', async () => {
      const held = await other.lock('jobs');
      const request = { lockName: 'jobs', owner: 'x' };
      const [first, second] = [new AbortController(), new AbortController()];
      const given = rejection(client.rpc('lock', request, { signal: first.signal }));
      await client.rpc('ping');
      proxy.delay('toClient');
      await held.release();
      await proxy.holds('toClient');
      first.abort();
      await given;
      const behindTheGrant = client.rpc('ping');
      await until(async () => (await other.stats()).requests.ping === 2);
      proxy.delay('toServer');
      const again = rejection(client.rpc('lock', request, { signal: second.signal }));
      await proxy.holds('toServer');
      proxy.free('toClient');
      await behindTheGrant;
      second.abort();
      await again;
      proxy.free('toServer');
      await isFreeFor(other);
    });

    it('releases a lock left to another request when that is refused', async () => {
      proxy.delay('toServer');
      const abort = new AbortController();
      const request = { lockName: 'jobs', owner: 'x' };
      const given = rejection(client.rpc('lock', { ...request, mode: 'shared' }, { signal: abort.signal }));
      await proxy.holds('toServer');
      abort.abort();
      await given;
      const upgrade = client.rpc('lock', request);
      proxy.free('toServer');
      expect(await upgrade).to.include({ status: 'invalid' });
      await isFreeFor(other);
    });

    it('ignores late answers to other commands', async () => {
      proxy.delay('toClient');
      for (const command of ['ping', 'stats', 'unlockAll', 'nothing']) {
        expect(await rejection(client.rpc(command, {}, { timeoutMs: 5 }))).to.include({ code: 'timeout' });
      }
      await proxy.holds('toClient');
      proxy.free('toClient');
      expect(await client.rpc('ping')).to.deep.equal({ status: 'ok' });
      expect((await other.stats()).requests).to.include({ cancel: 0, unlock: 0, unlockAll: 1 });
    });
  });

  async function isFreeFor(taker: LockClient): Promise<void> {
    const handle = await taker.lock('jobs', { waitMs: ANSWER_MS });
    expect(await taker.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
    await handle.release();
  }
});
