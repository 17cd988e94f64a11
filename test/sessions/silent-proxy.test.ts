import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { tokenAt } from '../../lib/ledger/clock-tokens.ts';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { whenLost } from '../client/client-scene.ts';
import { DelayingProxy } from '../client/delaying-proxy.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { stateForEachTest } from './state-scene.ts';

/** The client is sure of its lock for longer than a server takes to start again on a busy machine. */
const TIMEOUT_MS = 1_500;
const LIMITS = { minSessionTimeoutMs: 1 };

describe('a holder behind a proxy that falls silent, when the server restarts', () => {
  const state = stateForEachTest();

  function connect(port: number, timeoutMs: number): LockClient {
    const client = new LockClient({ port, session: { timeoutMs }, reconnect: { minDelayMs: 1, maxDelayMs: 50 } });
    whenTestEnds(() => client.close());
    return client;
  }

  /** Takes `jobs` by way of a proxy, which then falls silent. */
  async function takeInSilence(port: number, timeoutMs: number): Promise<LockHandle> {
    const proxy = await DelayingProxy.start(port);
    const handle = await connect(proxy.port, timeoutMs).lock('jobs');
    proxy.fallSilent();
    return handle;
  }

  for (const [how, answer] of [
    ['is killed', { status: 'unavailable', reason: 'grace' }],
    ['is stopped', { status: 'unavailable' }],
  ] as const) {
    it(`has given up its lock before another is granted it, with a state directory, if the server ${how}`, async () => {
      const server = await state.start(LIMITS);
      const handle = await takeInSilence(state.port, TIMEOUT_MS);
      const lost = whenLost(handle);
      const proxy = await DelayingProxy.start(state.port);
      const near = connect(proxy.port, TIMEOUT_MS);
      const waiting = near.lock('jobs').then(({ token }) => ({ token, hadAborted: handle.signal.aborted }));
      waiting.catch(() => {});
      await near.rpc('ping');
      if (how === 'is stopped') await server.stop();
      else state.crash();
      await state.start(LIMITS);
      proxy.serverPort = state.port;
      proxy.reset();
      const witness = await RawClient.connect(state.port);
      expect(await witness.ask('lock', { lockName: 'jobs', timeLimit: 0 })).to.deep.equal(answer);
      expect(await lost).to.include({ code: 'unconfirmed' });
      const { token, hadAborted } = await waiting;
      expect(hadAborted).to.equal(true);
      expect(token).to.be.above(handle.token);
      expect(await handle.confirm()).to.equal(false);
    });
  }

  it('believes in its lock until its deadline, while another is granted it at once, without a state directory', async () => {
    const withTokens = () => ({ ledger: new MemoryLedger(tokenAt(Date.now())) });
    const { server, port } = await startServer(LIMITS, undefined, withTokens());
    const handle = await takeInSilence(port, TIMEOUT_MS);
    const lost = whenLost(handle);
    await server.close();
    await startServer(LIMITS, undefined, withTokens(), port);
    const next = await connect(port, TIMEOUT_MS).lock('jobs');
    expect(handle.isHeld).to.equal(true);
    expect(handle.signal.aborted).to.equal(false);
    expect(next.token).to.be.above(handle.token);
    expect(await lost).to.include({ code: 'unconfirmed' });
    expect(handle.isHeld).to.equal(false);
    expect(await next.confirm()).to.equal(true);
  });
});
