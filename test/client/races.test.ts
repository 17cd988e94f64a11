import { expect } from 'chai';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startServerProgram } from '../server/running-program.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';

const AT_ONCE = { minDelayMs: 0, maxDelayMs: 0 } as const;
const LONG_MS = 3_600_000;

describe('between a client and its server', () => {
  let server: RunningServer;
  let proxy: DelayingProxy;
  let client: LockClient;
  let other: LockClient;

  beforeEach(async () => {
    server = await startServer();
    proxy = await DelayingProxy.start(server.port);
    client = await throughProxy();
    other = await server.client();
  });
  afterEach(endTest);

  it('a grant that crosses the abort of its call goes back, whichever moment the abort comes in', async () => {
    for (let steps = 0; steps < 12; steps += 1) {
      const abort = new AbortController();
      const held = await other.lock('jobs');
      const waiting = client.lock('jobs', { signal: abort.signal }).then(
        (handle) => handle.release(),
        (error: Error) => error.name,
      );
      await client.rpc('ping');
      // The answer to this comes in the same turn as the grant.
      proxy.delay('toClient');
      await held.release();
      const pinged = client.rpc('ping').then(() => abortAfter(abort, steps));
      await proxy.holds('toClient');
      await until(async () => (await other.stats()).requests.ping === steps * 3 + 2);
      proxy.free('toClient');
      await pinged;
      expect(await waiting).to.be.oneOf(['AbortError', true]);
      await isFree('jobs');
    }
  });

  it('a grant that crosses the end of the time of its call on the server is one or the other', async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 30; round += 1) {
      const held = await other.lock('jobs');
      const waiting = client.lock('jobs', { waitMs: 5 }).then(
        async (handle) => `granted ${await handle.release()}`,
        (error: { readonly code: string }) => error.code,
      );
      await client.rpc('ping');
      if (round % 2 === 0) await until(async () => ((await other.inspect('jobs')).waiters[0]?.waitedMs ?? 9) >= 4);
      await held.release();
      outcomes.add(await waiting);
      await isFree('jobs');
    }
    expect([...outcomes]).to.include('granted true');
    for (const outcome of outcomes) expect(outcome).to.be.oneOf(['granted true', 'timeout']);
  });

  it('a grant that comes when the call has given up waiting for any answer goes back', async () => {
    const hasty = await throughProxy({ requestTimeoutMs: 20 });
    proxy.delay('toClient');
    expect(await rejection(hasty.lock('jobs', { waitMs: 0 }))).to.be.instanceOf(LockUnreachableError);
    expect((await other.inspect('jobs')).holderCount).to.equal(1);
    proxy.free('toClient');
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
  });

  it('a cut between a grant and its delivery frees the lock, and the call asks again', async () => {
    proxy.delay('toClient');
    const asked = client.lock('jobs');
    await proxy.holds('toClient');
    expect((await other.inspect('jobs')).holders[0]).to.include({ token: 1 });
    proxy.discard('toClient');
    proxy.cut();
    const handle = await asked;
    expect((await other.inspect('jobs')).holders.map(({ token }) => token)).to.deep.equal([handle.token]);
    expect(handle.token).to.be.above(1);
  });

  it('a cut frees what is held before anybody else has it, and its signal aborts', async () => {
    const handle = await client.lock('jobs');
    const waiting = other.lock('jobs');
    proxy.cut();
    await waiting;
    await until(() => Promise.resolve(handle.signal.aborted));
    expect(handle.signal.reason).to.include({ code: 'connectionLost' });
  });

  it('a cut during an unlock leaves no lock behind', async () => {
    for (const direction of ['toServer', 'toClient'] as const) {
      const handle = await client.lock('jobs');
      proxy.delay(direction);
      const released = handle.release();
      await proxy.holds(direction);
      proxy.discard(direction);
      proxy.cut();
      expect(await released).to.equal(false);
      await until(async () => (await other.inspect('jobs')).holderCount === 0);
    }
  });

  it('a loss takes no hold back that was held, although the client is connected again', async () => {
    const handle = await client.lock('jobs');
    const again = new Promise<void>((resolve) => client.once('connect', resolve));
    proxy.cut();
    await again;
    await client.rpc('ping');
    expect(handle.isHeld).to.equal(false);
    await isFree('jobs');
  });

  it('a loss lets those who wait ask again, in their order, for the rest of their time', async () => {
    const held = await other.lock('jobs');
    const order: number[] = [];
    const waiting = Array.from({ length: 10 }, (_, index) =>
      client.locked('jobs', () => order.push(index), { waitMs: LONG_MS + index }),
    );
    client.once('disconnect', () => {
      waiting.push(client.locked('jobs', () => order.push(10), { waitMs: LONG_MS }));
    });
    await client.rpc('ping');
    const limits = timeLimits();
    proxy.sent = '';
    await until(async () => ((await other.inspect('jobs')).waiters[0]?.waitedMs ?? 0) >= 5);
    proxy.cut();
    await until(async () => (await other.inspect('jobs')).waiterCount === 11);
    const again = timeLimits();
    expect(limits).to.have.lengthOf(10);
    for (const [index, limit] of limits.entries())
      expect(again[index])
        .to.be.below(limit)
        .and.above(limit - 60_000);
    await held.release();
    await Promise.all(waiting);
    expect(order).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await isFree('jobs');
  });

  it('a loss that lasts for longer than the time of a call ends it', async () => {
    await other.lock('jobs');
    const waiting = rejection(client.lock('jobs', { waitMs: 60 }));
    await client.rpc('ping');
    proxy.refuse();
    proxy.cut();
    expect(await waiting).to.be.instanceOf(LockUnreachableError);
    await until(async () => (await other.inspect('jobs')).waiterCount === 0);
  });

  it('an abort during a loss ends the call, which does not ask again', async () => {
    await other.lock('jobs');
    const abort = new AbortController();
    const waiting = rejection(client.lock('jobs', { signal: abort.signal }));
    await client.rpc('ping');
    const lost = new Promise((resolve) => client.once('disconnect', () => resolve(undefined)));
    proxy.refuse();
    proxy.cut();
    await lost;
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await waiting).to.equal(reason);
    proxy.admit();
    await client.rpc('ping');
    expect(await other.inspect('jobs')).to.include({ waiterCount: 0 });
  });

  it('a try-lock that was asked for when the connection broke is asked for again', async () => {
    proxy.delay('toServer');
    const tried = client.tryLock('jobs');
    await proxy.holds('toServer');
    proxy.discard('toServer');
    proxy.cut();
    expect(await tried).to.include({ isHeld: true });
  });

  it('a close while calls wait ends them, and nothing is left on the server', async () => {
    await other.lock('jobs');
    const waiting = [client.lock('jobs'), client.lock('jobs', { owner: 'batch' }), client.lockAll(['jobs', 'free'])];
    const errors = waiting.map(rejection);
    await client.rpc('ping');
    await client.close();
    for (const error of errors) expect(await error).to.be.instanceOf(LockClosedError);
    await until(async () => (await other.inspect('jobs')).waiterCount === 0);
    expect(await other.inspect('free')).to.include({ holderCount: 0, waiterCount: 0 });
  });

  it('a close against a grant leaves no lock behind, whichever moment it comes in', async () => {
    for (let steps = 0; steps < 12; steps += 1) {
      const closing = await throughProxy();
      proxy.delay('toClient');
      const asked = closing.lock('jobs').then(
        (handle) => handle.release(),
        (error: Error) => error.name,
      );
      const closed = closing.rpc('ping').then(async () => {
        for (let step = 0; step < steps; step += 1) await undefined;
        await closing.close();
      });
      await proxy.holds('toClient');
      proxy.free('toClient');
      await closed;
      expect(await asked).to.be.oneOf(['LockClosedError', true, false]);
      await until(async () => (await other.inspect('jobs')).holderCount === 0);
    }
  });

  it('an abort against a close ends the call by the one that came first', async () => {
    await other.lock('jobs');
    const calls = ['abort', 'close'].map(async (first) => {
      const closing = await throughProxy();
      const abort = new AbortController();
      const waiting = rejection(closing.lock('jobs', { signal: abort.signal }));
      await closing.rpc('ping');
      if (first === 'abort') abort.abort();
      await closing.close();
      abort.abort();
      return ((await waiting) as Error).name;
    });
    expect(await Promise.all(calls)).to.deep.equal(['AbortError', 'LockClosedError']);
  });

  it('a grant of several locks that crosses an abort goes back, all of it', async () => {
    const held = await other.lock('b');
    const abort = new AbortController();
    const waiting = rejection(client.lockAll(['a', 'b', { name: 'c', mode: 'permit' }], { signal: abort.signal }));
    await client.rpc('ping');
    proxy.delay('toClient');
    await held.release();
    await proxy.holds('toClient');
    expect((await other.stats()).holders).to.equal(3);
    abort.abort();
    expect(await waiting).to.have.property('name', 'AbortError');
    proxy.free('toClient');
    await until(async () => (await other.stats()).holders === 0);
  });

  it('a loss lets a call for several locks ask again', async () => {
    const held = await other.lock('b');
    const waiting = client.lockAll(['a', 'b']);
    await client.rpc('ping');
    proxy.cut();
    await until(async () => ((await other.stats()).requests.lockAll ?? 0) === 2);
    await held.release();
    const set = await waiting;
    expect((await other.inspect('a')).holders.map(({ token }) => token)).to.deep.equal([set.tokens[0]]);
    expect(await set.release()).to.equal(true);
  });

  it('a server that is started anew is asked again by those who wait', async function () {
    this.timeout(15_000);
    const port = await freePort();
    const { program } = await startServerProgram('--port', String(port));
    const waiter = await LockClient.connect({ port, reconnect: { minDelayMs: 5, maxDelayMs: 20 } });
    whenTestEnds(() => waiter.close());
    const holder = await LockClient.connect({ port, reconnect: AT_ONCE });
    whenTestEnds(() => holder.close());
    const held = await holder.lock('jobs');
    const waiting = waiter.lock('jobs', { waitMs: LONG_MS });
    await waiter.rpc('ping');
    await program.kill();
    await startServerProgram('--port', String(port));
    const handle = await waiting;
    expect(held.isHeld).to.equal(false);
    expect(handle.token).to.be.above(held.token);
    expect((await holder.inspect('jobs')).holders.map(({ token }) => token)).to.deep.equal([handle.token]);
  });

  async function throughProxy(options: LockClientOptions = {}): Promise<LockClient> {
    return await server.client({ port: proxy.port, reconnect: AT_ONCE, ...options });
  }

  /** What the client asked for with a limit of hours, in milliseconds. */
  function timeLimits(): number[] {
    return [...proxy.sent.matchAll(/"timeLimit":(\d{4}[^,}]*)/g)].map(([, limit]) => Number(limit) * 1_000);
  }

  async function isFree(name: string): Promise<void> {
    await client.rpc('ping');
    expect(await other.inspect(name)).to.include({ holderCount: 0, waiterCount: 0 });
  }
});

async function abortAfter(abort: AbortController, steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) await undefined;
  abort.abort();
}
