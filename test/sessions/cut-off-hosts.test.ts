import { expect } from 'chai';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { PeerWatch } from '../../lib/transports/peer-watch.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { readTcpTable } from '../../lib/transports/tcp-table.ts';
import { whenLost } from '../client/client-scene.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { makeServer, portOf } from '../server/running-server.ts';
import { FarHost, needsFarHost } from '../transports/far-host.ts';

/** The kernel sends data again after 0.2, 0.6 and 1.4 s, so a host is given up after the third time. */
const QUICK = { silentMs: 100, lookMs: 100, looks: 3, retransmissions: 2 };
/** The connection of a host that is given up ends before the time of its session is over. */
const TIMEOUT_MS = 2_000;

describe('a host that is cut off while a grant is on its way to it', () => {
  let host: FarHost;
  let port: number;
  let far: LockClient;
  let near: LockClient;

  before(function () {
    needsFarHost(this);
  });
  beforeEach(async () => {
    host = new FarHost();
    const server = makeServer({ limits: { minSessionTimeoutMs: 1 } });
    const place = { host: host.nearAddress, port: 0, allowed: ['198.18.0.0/15'] };
    port = portOf(await server.listen(tcp(place, new PeerWatch(QUICK))));
    far = connect({ path: await host.relay(port), session: { timeoutMs: TIMEOUT_MS } });
    near = connect({ host: host.nearAddress, port });
  });
  afterEach(endTest);

  function connect(options: LockClientOptions): LockClient {
    const client = new LockClient({ reconnect: { minDelayMs: 1, maxDelayMs: 50 }, ...options });
    whenTestEnds(() => client.close());
    return client;
  }

  it('learns that it may have lost its lock before another is granted it', async () => {
    const handle = await far.lock('jobs');
    const held = await near.lock('next');
    void far.lock('next').catch(() => {});
    await far.rpc('ping');
    const waiting = near.lock('jobs').then(({ token }) => ({ token, isStillHeld: handle.isHeld }));
    const lost = whenLost(handle);
    host.cut();
    await held.release();
    expect(await lost).to.include({ code: 'unconfirmed' });
    const { token, isStillHeld } = await waiting;
    expect(isStillHeld).to.equal(false);
    expect(token).to.be.above(handle.token);
  });

  it('loses nothing when it is back in time', async () => {
    const handle = await far.lock('jobs');
    const held = await near.lock('next');
    const next = far.lock('next');
    await far.rpc('ping');
    let isGranted = false;
    void near.lock('jobs').then(
      () => {
        isGranted = true;
      },
      () => {},
    );
    host.cut();
    await held.release();
    const sent = (await near.inspect('next')).holders[0]?.token;
    await until(() => isSentAgain(port));
    host.plug();
    expect(await next).to.include({ isHeld: true, token: sent });
    expect(handle.isHeld).to.equal(true);
    expect(await handle.confirm()).to.equal(true);
    expect(handle.signal.aborted).to.equal(false);
    expect((await near.inspect('jobs')).holders)
      .to.have.lengthOf(1)
      .and.to.have.nested.property('0.token', handle.token);
    expect(isGranted).to.equal(false);
  });
});

/** Whether something that was sent from this port, of this machine, was not acknowledged and sent again. */
async function isSentAgain(localPort: number): Promise<boolean> {
  const near = `:${localPort.toString(16).toUpperCase().padStart(4, '0')} `;
  let count = 0;
  await readTcpTable('/proc/self/net/tcp', ({ key, unansweredCount }) => {
    if (key.includes(near)) count += unansweredCount;
  });
  return count > 0;
}
