import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { LockClient, LockClientOptions } from '../../lib/client/lock-client.ts';
import { LockLostError } from '../../lib/client/lock-error.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { until } from '../server/raw-client.ts';
import { startServerProgram } from '../server/running-program.ts';
import { LOOPBACK, listenOnTcp, portOf, startServer } from '../server/running-server.ts';
import { blockFor } from './blocked-loop.ts';
import {
  emitted,
  LONG_MS,
  lazyClient,
  proxy,
  reset,
  server,
  serverScene,
  throughProxy,
  whenLost,
} from './client-scene.ts';
import { DelayingProxy } from './delaying-proxy.ts';

/** So short that a test can wait until it is over. */
const SHORT_MS = 1_000;
/** Between requests that keep a session up. */
const PAUSE_MS = 10;
const LIMITS = { minSessionTimeoutMs: SHORT_MS, maxSessionTimeoutMs: LONG_MS };
const SOON = { minDelayMs: 1, maxDelayMs: 20 };

/** A client with a long session, unless the options say otherwise. */
function connect(options: LockClientOptions = {}): Promise<LockClient> {
  return throughProxy({ reconnect: SOON, session: { timeoutMs: LONG_MS }, ...options });
}

/** The events of a client's connection and session, in order. */
function eventsOf(client: LockClient): string[] {
  const told: string[] = [];
  for (const event of ['connect', 'disconnect', 'suspend', 'resume'] as const) {
    client.on(event, () => told.push(`${event}: ${client.state}`));
  }
  return told;
}

/** Timers that keep the process alive, that of the test itself among them. */
function countTimers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
}

describe("a client's session", () => {
  serverScene({ limits: LIMITS });
  let witness: LockClient;
  beforeEach(async () => {
    witness = await server.client();
  });

  it('keeps a lock when the connection is reset, and tells of it', async () => {
    const client = await connect();
    const handle = await client.lock('jobs');
    const told = eventsOf(client);
    await reset(client);
    expect(handle).to.include({ isHeld: true });
    await emitted(client, 'resume');
    expect(told).to.deep.equal([
      'disconnect: suspended',
      'suspend: suspended',
      'connect: connected',
      'resume: connected',
    ]);
    expect(handle.signal.aborted).to.equal(false);
    expect(await handle.confirm()).to.equal(true);
    expect((await witness.inspect('jobs')).holders[0]?.token).to.equal(handle.token);
    expect(await handle.release()).to.equal(true);
    expect(await witness.tryLock('jobs')).not.to.equal(null);
  });

  it('keeps a lock by WebSocket', async () => {
    const port = portOf(
      await server.server.listen(webSocket({ ...LOOPBACK, origins: [], hosts: [], maxMessageBytes: 9_000 })),
    );
    const between = await DelayingProxy.start(port);
    const client = lazyClient({ url: `ws://127.0.0.1:${between.port}`, reconnect: SOON });
    const handle = await client.lock('jobs');
    const resumed = emitted(client, 'resume');
    between.reset();
    await resumed;
    expect(await handle.confirm()).to.equal(true);
    expect(await handle.release()).to.equal(true);
  });

  it('keeps the place of a waiting call', async () => {
    const held = await witness.lock('jobs');
    const client = await connect();
    const first = client.lock('jobs');
    await client.rpc('ping');
    const second = witness.lock('jobs');
    await witness.rpc('ping');
    await reset(client);
    await emitted(client, 'resume');
    await held.release();
    const handle = await first;
    expect(handle.token).to.equal(held.token + 1);
    await handle.release();
    await (await second).release();
  });

  it('answers calls that were granted while it had no connection', async () => {
    const held = await witness.lockAll(['a', 'b']);
    const client = await connect();
    const one = client.lock('a');
    await client.rpc('ping');
    proxy.refuse();
    await reset(client);
    await held.release();
    await until(async () => (await witness.inspect('a')).holders[0]?.expiresInMs !== undefined);
    proxy.admit();
    const handle = await one;
    const several = await client.lockAll(['b', 'c']);
    expect(handle.isHeld).to.equal(true);
    await several.release();
    expect(await handle.release()).to.equal(true);
  });

  it('gives up a call when its wait is over while there is no connection', async () => {
    await witness.lock('jobs');
    const client = await connect();
    const waiting = client.lock('jobs', { waitMs: 50 });
    waiting.catch(() => {});
    await client.rpc('ping');
    proxy.refuse();
    await reset(client);
    await waiting.then(
      () => expect.fail('it was granted'),
      (error) => expect(error).to.include({ code: 'unreachable' }),
    );
  });

  it('leaves no timer behind for a call that went on', async () => {
    const { port } = await startServerProgram();
    const before = countTimers();
    const between = await DelayingProxy.start(port);
    const [client, other] = [lazyClient({ port: between.port, reconnect: SOON }), lazyClient({ port })];
    const held = await other.lock('jobs');
    const waiting = client.lock('jobs', { waitMs: 3_600_000 });
    await client.rpc('ping');
    const resumed = emitted(client, 'resume');
    between.reset();
    await resumed;
    await held.release();
    await (await waiting).release();
    await Promise.all([client.close(), other.close()]);
    expect(countTimers()).to.be.at.most(before);
  });

  it('frees a lock that was released while it had no connection', async () => {
    const client = await connect();
    const [released, kept] = [await client.lock('jobs'), await client.lock('kept')];
    proxy.refuse();
    await reset(client);
    const release = released.release();
    expect(released.isHeld).to.equal(false);
    proxy.admit();
    expect(await release).to.equal(true);
    expect(kept.isHeld).to.equal(true);
    expect(await witness.tryLock('jobs')).not.to.equal(null);
  });

  it('tells a handle that its lock was stolen meanwhile', async () => {
    const client = await connect();
    const handle = await client.lock('jobs', { stealable: true });
    proxy.refuse();
    await reset(client);
    await witness.lock('jobs', { steal: true });
    const lost = whenLost(handle);
    proxy.admit();
    expect(await lost)
      .to.be.instanceOf(LockLostError)
      .and.include({ code: 'stolen' });
  });

  it('resumes with ten thousand locks', async () => {
    const client = await connect();
    const names = Array.from({ length: 10_000 }, (_, index) => `lock ${index}`);
    const handles = await Promise.all(names.map((name) => client.lock(name)));
    await reset(client);
    await emitted(client, 'resume');
    expect(handles.every(({ isHeld }) => isHeld)).to.equal(true);
    expect(await witness.stats()).to.include({ holders: 10_000 });
  }).timeout(20_000);

  it('ends with the client: its locks are free at once', async () => {
    const client = await connect();
    await client.lock('jobs');
    await client.close();
    expect(await witness.lock('jobs')).to.include({ count: 1 });
    expect(await witness.stats()).to.include({ suspendedSessions: 0 });
  });

  it('ends with the client behind a proxy, too', async () => {
    const port = await listenOnTcp(server.server, { proxied: true });
    const client = lazyClient({ port });
    await client.lock('jobs');
    await client.close();
    expect(await witness.lock('jobs')).to.include({ count: 1 });
    expect(await witness.stats()).to.include({ suspendedSessions: 0 });
  });

  it('is lost when the server has restarted without it', async () => {
    const { program, port } = await startServerProgram();
    const client = lazyClient({ port, reconnect: SOON });
    const handle = await client.lock('jobs');
    const lost = whenLost(handle);
    await program.kill();
    expect(await lost).to.include({ code: 'connectionLost' });
    expect(client.state).to.equal('reconnecting');
  });

  it('repeats requests that were made between the end of the session and the end of the connection', async () => {
    const first = await startServer(LIMITS);
    const client = lazyClient({ port: first.port, reconnect: SOON });
    await client.lock('jobs');
    const late = new Promise((resolve) => {
      client.once('event', ({ event }) => resolve(event === 'ended' && client.lock('late', { waitMs: LONG_MS })));
    });
    await first.server.close();
    await startServer(LIMITS, undefined, {}, first.port);
    expect(await late).to.include({ isHeld: true });
  });

  it('S2: closes no connection that said hello before a later one was answered', async () => {
    const client = await connect({ requestTimeoutMs: 100 });
    const [released, kept] = [await client.lock('jobs'), await client.lock('kept')];
    const dialled = proxy.nextConnection();
    proxy.delay('toServer');
    expect(await released.release()).to.equal(false);
    await dialled;
    await until(() => proxy.clientCount === 2);
    const resumed = emitted(client, 'resume');
    proxy.free('toServer');
    await resumed;
    await until(() => proxy.clientCount === 1);
    expect(await kept.confirm()).to.equal(true);
  });

  it('S4: counts as over before the server frees the lock', async () => {
    const client = await connect({ session: { timeoutMs: SHORT_MS } });
    const handle = await client.lock('jobs');
    const waiting = witness.lock('jobs');
    proxy.refuse();
    await reset(client);
    expect(await whenLost(handle)).to.include({ code: 'unconfirmed' });
    expect((await witness.inspect('jobs')).holders[0]).to.include({ token: handle.token });
    expect(client.state).to.equal('reconnecting');
    expect((await waiting).token).to.equal(handle.token + 1);
  });

  it('S4: counts from any answer, though another request waits for longer than the session lasts', async () => {
    const client = await connect({ session: { timeoutMs: 2 * SHORT_MS } });
    const handle = await client.lock('jobs');
    await witness.lock('taken');
    const waiting = client.lock('taken', { waitMs: 2.2 * SHORT_MS }).then(
      () => 'granted',
      ({ code }) => code,
    );
    let outcome: string | undefined;
    void waiting.then((told) => {
      outcome = told;
    });
    while (outcome === undefined) {
      const answered = client.rpc('ping');
      await nextTurn();
      expect(handle.isHeld).to.equal(true);
      await answered;
      await pause(PAUSE_MS);
    }
    expect(outcome).to.equal('timeout');
  });

  it('S5: dials anew before the deadline when the server does not answer, though the last answer came late', async () => {
    const client = await connect({ session: { timeoutMs: 8_000 } });
    const handle = await client.lock('jobs');
    await witness.lock('taken');
    expect(await client.lock('taken', { waitMs: 1_900 }).catch(({ code }) => code)).to.equal('timeout');
    const dialled = proxy.nextConnection();
    proxy.delay('toServer');
    await dialled;
    proxy.discard('toServer');
    await emitted(client, 'resume');
    expect(handle.signal.aborted).to.equal(false);
    expect(await handle.confirm()).to.equal(true);
  });

  it('S6: opens a new connection if nobody answers after the event loop was blocked', async () => {
    const client = await connect({ session: { timeoutMs: SHORT_MS } });
    const handle = await client.lock('jobs');
    const dialled = proxy.nextConnection();
    proxy.delay('toServer');
    blockFor(1.2 * SHORT_MS);
    expect(await whenLost(handle)).to.include({ code: 'unconfirmed' });
    const waiting = client.lock('jobs');
    await dialled;
    proxy.discard('toServer');
    expect((await waiting).token).to.be.above(handle.token);
  });

  it('S7: ends with its connection if it is not kept', async () => {
    const client = await connect({ session: false });
    const handle = await client.lock('jobs');
    proxy.reset();
    expect(await whenLost(handle)).to.include({ code: 'connectionLost' });
    expect(await witness.lock('jobs')).to.include({ count: 1 });
  });

  it('refuses options that make no sense', () => {
    for (const timeoutMs of [-1, 0, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(() => lazyClient({ session: { timeoutMs } })).to.throw(
        `session.timeoutMs is ${timeoutMs}; expected a number above 0, up to 1e12`,
      );
    }
    expect(() => lazyClient({ session: { timeout: 1 } as never })).to.throw(
      'session has "timeout", which is not known',
    );
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
