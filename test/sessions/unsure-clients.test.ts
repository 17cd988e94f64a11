import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { emitted, whenLost } from '../client/client-scene.ts';
import { DelayingProxy } from '../client/delaying-proxy.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { stateForEachTest } from './state-scene.ts';

const TIMEOUT_MS = 30_000;
/** Past the time for which a client trusts its session, but not as long as the session lasts. */
const SLEEP_MS = 28_000;

describe('a client that comes back when it is not sure of its locks any more', () => {
  const scene = stateForEachTest();

  /** Takes a lock, ends the server and starts the next one; lets the client come back late. */
  async function outlive(end: 'stop' | 'crash') {
    const server = await scene.start();
    const proxy = await DelayingProxy.start(scene.port);
    const reconnect = { minDelayMs: 1, maxDelayMs: 20 };
    const client = new LockClient({ port: proxy.port, session: { timeoutMs: TIMEOUT_MS }, reconnect });
    whenTestEnds(() => client.close());
    const handle = await client.lock('jobs');
    const suspended = emitted(client, 'suspend');
    proxy.refuse();
    if (end === 'stop') await server.stop();
    else scene.crash();
    proxy.cut();
    await suspended;
    await scene.start();
    proxy.serverPort = scene.port;
    // The machine sleeps: the monotonic clock stands still.
    const { now } = Date;
    whenTestEnds(() => {
      Date.now = now;
    });
    Date.now = () => now() + SLEEP_MS;
    expect(handle.isHeld).to.equal(false);
    const lost = whenLost(handle);
    const resumed = emitted(client, 'resume');
    proxy.admit();
    return { client, handle, lost, resumed };
  }

  it('S6: keeps its lock after a planned stop', async () => {
    const { client, handle, resumed } = await outlive('stop');
    await resumed;
    expect(await handle.confirm()).to.equal(true);
    expect(handle.signal.aborted).to.equal(false);
    expect((await client.inspect('jobs')).holders.map(({ token }) => token)).to.deep.equal([handle.token]);
  });

  it('S6: reclaims nothing after a crash', async () => {
    const { client, lost } = await outlive('crash');
    expect(await lost).to.include({ code: 'unconfirmed' });
    await until(async () => (await client.inspect('jobs')).holderCount === 0);
    expect(await client.lock('jobs')).to.include({ count: 1 });
  });
});
