import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { needs, type SystemProgram } from '../foreign/system-program.ts';
import { folderForEachTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { startListening } from '../server/running-program.ts';
import { type Etcd, startEtcd } from '../support/etcd.ts';
import { freePort } from '../support/free-port.ts';
import { untilCluster } from './cluster-scene.ts';

interface ServerOfCluster {
  readonly program: SystemProgram;
  readonly port: number;
}

describe('the leader of a cluster, as a process', function () {
  this.timeout(60_000);
  const folder = folderForEachTest();
  let etcd: Etcd;

  before(async function () {
    needs(this, 'etcd', 'etcdctl');
    etcd = await startEtcd();
  });
  after(async () => await etcd?.stop());

  async function start(name: string): Promise<ServerOfCluster> {
    const port = await freePort();
    const cluster = { etcd: etcd.endpoints, node: name, advertise: `127.0.0.1:${port}`, leaseSeconds: 2 };
    const { program } = await startListening(
      'bin/server.js',
      ...['--config', folder.writeSettings({ port, host: '127.0.0.1', cluster })],
    );
    return { program, port };
  }

  function client(servers: readonly ServerOfCluster[]): LockClient {
    const made = new LockClient({
      servers: servers.map(({ port }) => `127.0.0.1:${port}`),
      session: { timeoutMs: 10_000 },
      reconnect: { minDelayMs: 10, maxDelayMs: 100 },
    });
    whenTestEnds(() => made.close());
    return made;
  }

  it('C1: answers nothing after a pause, and each lock keeps one holder through a pause and a kill', async () => {
    const first = await start('a');
    const second = await start('b');
    const [holder, waiter] = [client([first, second]), client([first, second])];
    const handle = await holder.lock('jobs');
    const waiting = waiter.lock('jobs', { waitMs: Number.POSITIVE_INFINITY });
    await until(async () => (await holder.inspect('jobs')).waiters.length === 1);
    const old = await RawClient.connect(first.port);
    await old.settle();
    process.kill(first.program.pid, 'SIGSTOP');
    old.send({ command: 'ping', id: 1 });
    await untilCluster(() => second.program.errorOutput.includes('"leads"'));
    expect(await handle.confirm()).to.equal(true);
    await handle.release();
    const next = await waiting;
    expect(next.token).to.be.above(handle.token);
    process.kill(first.program.pid, 'SIGCONT');
    expect(await old.rest()).to.deep.equal([]);
    await untilCluster(() => first.program.errorOutput.includes('"stands by"'));
    const further = holder.lock('jobs', { waitMs: Number.POSITIVE_INFINITY });
    process.kill(second.program.pid, 'SIGKILL');
    await second.program.exit;
    expect(await next.confirm()).to.equal(true);
    expect(next.signal.aborted).to.equal(false);
    await next.release();
    expect((await further).token).to.be.above(next.token);
  });
});
