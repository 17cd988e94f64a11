import { expect } from 'chai';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { TokenBlock } from '../../lib/ledger/token-block.ts';
import { endTest } from '../server/clean-up.ts';
import { MonitoredServer } from './monitored-server.ts';

/** Status and text of `/readyz`. */
async function readiness(server: MonitoredServer): Promise<readonly unknown[]> {
  const { status, text } = await server.get('readyz');
  return [status, text];
}

describe('the health checks', () => {
  afterEach(endTest);

  it('say that the process lives and is ready', async () => {
    const server = await MonitoredServer.start();
    expect(await server.get('livez')).to.deep.include({ status: 200, text: 'ok\n' });
    expect(await readiness(server)).to.deep.equal([200, 'ok\n']);
  });

  it('say that a server drains, but lives', async () => {
    const server = await MonitoredServer.start();
    const client = await server.running.connect();
    await client.take('a');
    const closing = server.running.server.close({ drainMs: 10_000 });
    expect(await readiness(server)).to.deep.equal([503, 'draining\n']);
    expect((await server.get('livez')).status).to.equal(200);
    await client.leave();
    await closing;
  });

  it('say that sessions of the run before are awaited', async () => {
    const atStart = [{ id: 'a', secretHash: 'b', timeoutMs: 20_000 }];
    const ledger = new MemoryLedger(0);
    const server = await MonitoredServer.start({
      ledger: Object.assign(ledger, { sessions: { ...ledger.sessions, atStart } }),
    });
    expect(await readiness(server)).to.deep.equal([503, 'grace\n']);
  });

  it('say that no token is reserved', async () => {
    const tokens = new TokenBlock({ begin: 0, reserved: 1, size: 1, reserve: () => new Promise(() => {}) });
    const server = await MonitoredServer.start({ ledger: Object.assign(new MemoryLedger(0), { tokens }) });
    expect(await readiness(server)).to.deep.equal([200, 'ok\n']);
    await (await server.running.connect()).take('a');
    expect(await readiness(server)).to.deep.equal([503, 'tokens\n']);
  });

  it('say that a server of a cluster stands by, and is ready if it knows the leader', async () => {
    const follows = await MonitoredServer.start({}, {}, { role: 'standby', leader: '10.0.0.2:20934' });
    expect(await readiness(follows)).to.deep.equal([200, 'ok\n']);
    expect(await follows.api('status')).to.deep.include({ role: 'standby', isReady: true, leader: '10.0.0.2:20934' });
    expect((await follows.get('api/blocked')).status).to.equal(503);
    const alone = await MonitoredServer.start({}, {}, { role: 'standby', reason: 'noQuorum' });
    expect(await readiness(alone)).to.deep.equal([503, 'noQuorum\n']);
    expect((await alone.get('metrics')).text)
      .to.match(/^holdfast_ready 0$/m)
      .and.match(/^holdfast_leader 0$/m);
  });
});
