import { expect } from 'chai';
import { LockClosedError, LockUnreachableError } from '../../lib/client/lock-error.ts';
import { until } from '../server/raw-client.ts';
import { startServerProgram } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';
import { abortable, rejects } from '../support/rejection.ts';
import {
  AT_ONCE,
  afterMicrotasks,
  client,
  clientScene,
  cutAndRefuse,
  delayAnswer,
  delayRequest,
  isFree,
  LONG_MS,
  lazyClient,
  other,
  proxy,
  throughProxy,
  tokensOf,
} from './client-scene.ts';

describe('between a client and its server', () => {
  clientScene({ client: { reconnect: AT_ONCE } });

  it('a grant that crosses the abort of its call is released, at any moment of the abort', async () => {
    for (let steps = 0; steps < 12; steps += 1) {
      const abort = new AbortController();
      const held = await other.lock('jobs');
      const waiting = client.lock('jobs', { signal: abort.signal }).then(
        (handle) => handle.release(),
        (error: Error) => error.name,
      );
      await client.rpc('ping');
      // The answer to this ping arrives together with the grant.
      proxy.delay('toClient');
      await held.release();
      const pinged = client.rpc('ping').then(() => afterMicrotasks(steps, () => abort.abort()));
      await proxy.holds('toClient');
      await until(async () => (await other.stats()).requests.ping === steps * 3 + 2);
      proxy.free('toClient');
      await pinged;
      expect(await waiting).to.be.oneOf(['AbortError', true]);
      await settledFree();
    }
  });

  it('a grant that crosses the time-out of its call is either a grant or a time-out', async () => {
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
      await settledFree();
    }
    expect([...outcomes]).to.include('granted true');
    for (const outcome of outcomes) expect(outcome).to.be.oneOf(['granted true', 'timeout']);
  });

  it('a grant that comes after the call gave up waiting is released', async () => {
    const hasty = await throughProxy({ reconnect: AT_ONCE, requestTimeoutMs: 20 });
    const { asked } = await delayAnswer(() => rejects(hasty.lock('jobs', { waitMs: 0 }), LockUnreachableError));
    await asked;
    expect((await other.inspect('jobs')).holderCount).to.equal(1);
    proxy.free('toClient');
    await until(async () => (await other.inspect('jobs')).holderCount === 0);
  });

  it('a cut between a grant and its delivery frees the lock, and the call asks again', async () => {
    const { asked } = await delayAnswer(() => client.lock('jobs'));
    expect(await tokensOf('jobs')).to.deep.equal([1]);
    proxy.discard('toClient');
    proxy.cut();
    const handle = await asked;
    expect(await tokensOf('jobs')).to.deep.equal([handle.token]);
    expect(handle.token).to.be.above(1);
  });

  it('a cut during an unlock leaves no lock behind', async () => {
    for (const [delay, direction] of [
      [delayRequest, 'toServer'],
      [delayAnswer, 'toClient'],
    ] as const) {
      const handle = await client.lock('jobs');
      const { asked } = await delay(() => handle.release());
      proxy.discard(direction);
      proxy.cut();
      expect(await asked).to.equal(false);
      expect(handle.signal.aborted).to.equal(false);
      await until(async () => (await other.inspect('jobs')).holderCount === 0);
    }
  });

  it('after a loss waiting calls ask again, in their order, for the rest of their time', async () => {
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
    expect(limits).to.have.lengthOf(10);
    proxy.sent = '';
    await until(async () => ((await other.inspect('jobs')).waiters[0]?.waitedMs ?? 0) >= 5);
    proxy.cut();
    await until(async () => (await other.inspect('jobs')).waiterCount === 11);
    const again = timeLimits();
    for (const [index, limit] of limits.entries()) expect(again[index]).to.be.within(limit - 60_000, limit - 1);
    await held.release();
    await Promise.all(waiting);
    expect(order).to.deep.equal([...Array(11).keys()]);
    await settledFree();
  });

  it('a call ends when its time is over before the client is connected again', async () => {
    await other.lock('jobs');
    const waiting = rejects(client.lock('jobs', { waitMs: 60 }), LockUnreachableError);
    await client.rpc('ping');
    proxy.refuse();
    proxy.cut();
    await waiting;
    await until(async () => (await other.inspect('jobs')).waiterCount === 0);
  });

  it('a call aborted without a connection does not ask again', async () => {
    await other.lock('jobs');
    const waiting = abortable((signal) => client.lock('jobs', { signal }));
    await client.rpc('ping');
    await cutAndRefuse(client);
    await waiting.abort();
    proxy.admit();
    await client.rpc('ping');
    expect(await other.inspect('jobs')).to.include({ waiterCount: 0 });
  });

  it('a try-lock is sent again when the connection broke before its answer', async () => {
    const { asked } = await delayRequest(() => client.tryLock('jobs'));
    proxy.discard('toServer');
    proxy.cut();
    expect(await asked).to.include({ isHeld: true });
  });

  it('a close ends waiting calls and leaves nothing on the server', async () => {
    await other.lock('jobs');
    const waiting = [client.lock('jobs'), client.lock('jobs', { owner: 'batch' }), client.lockAll(['jobs', 'free'])];
    const errors = waiting.map((call: Promise<unknown>) => rejects(call, LockClosedError));
    await client.rpc('ping');
    await client.close();
    await Promise.all(errors);
    await until(async () => (await other.inspect('jobs')).waiterCount === 0);
    expect(await other.inspect('free')).to.include({ holderCount: 0, waiterCount: 0 });
  });

  it('a close that crosses a grant leaves no lock behind, at any moment', async () => {
    for (let steps = 0; steps < 12; steps += 1) {
      const closing = await throughProxy({ reconnect: AT_ONCE });
      proxy.delay('toClient');
      const asked = closing.lock('jobs').then(
        (handle) => handle.release(),
        (error: Error) => error.name,
      );
      const closed = closing.rpc('ping').then(() => afterMicrotasks(steps, () => closing.close()));
      await proxy.holds('toClient');
      proxy.free('toClient');
      await closed;
      expect(await asked).to.be.oneOf(['LockClosedError', true, false]);
      await until(async () => (await other.inspect('jobs')).holderCount === 0);
    }
  });

  it('a grant of several locks that crosses an abort is released as a whole', async () => {
    const held = await other.lock('b');
    const waiting = abortable((signal) => client.lockAll(['a', 'b', { name: 'c', mode: 'permit' }], { signal }));
    await client.rpc('ping');
    proxy.delay('toClient');
    await held.release();
    await proxy.holds('toClient');
    expect((await other.stats()).holders).to.equal(3);
    await waiting.abort();
    proxy.free('toClient');
    await until(async () => (await other.stats()).holders === 0);
  });

  it('after a loss a waiting call for several locks asks again', async () => {
    const held = await other.lock('b');
    const waiting = client.lockAll(['a', 'b']);
    await client.rpc('ping');
    proxy.cut();
    await until(async () => ((await other.stats()).requests.lockAll ?? 0) === 2);
    await held.release();
    const set = await waiting;
    expect(await tokensOf('a')).to.deep.equal([set.tokens[0]]);
    expect(await set.release()).to.equal(true);
  });

  it('waiting calls ask again when the server was killed and restarted', async function () {
    this.timeout(15_000);
    const port = await freePort();
    const { program } = await startServerProgram('--port', String(port));
    const waiter = lazyClient({ port, reconnect: { minDelayMs: 5, maxDelayMs: 20 } });
    const holder = lazyClient({ port, reconnect: AT_ONCE });
    const held = await holder.lock('jobs');
    const waiting = waiter.lock('jobs', { waitMs: LONG_MS });
    await waiter.rpc('ping');
    await program.kill();
    await startServerProgram('--port', String(port));
    const handle = await waiting;
    expect(held.isHeld).to.equal(false);
    expect(handle.token).to.be.above(held.token);
    expect((await holder.inspect('jobs')).holders[0]?.token).to.equal(handle.token);
  });

  /** The limits of hours that the client sent, in milliseconds. */
  function timeLimits(): number[] {
    return [...proxy.sent.matchAll(/"timeLimit":(\d{4}[^,}]*)/g)].map(([, limit]) => Number(limit) * 1_000);
  }

  /** Expects that the lock is free when the server has read everything that the client sent. */
  async function settledFree(): Promise<void> {
    await client.rpc('ping');
    await isFree();
  }
});
