import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { exportDirectory, importDirectory } from '../../lib/cluster/moving.ts';
import { openLedger, RecordingReport, session, take } from '../ledger/ledger-scene.ts';
import { folderForEachTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { startListening, startProgram } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';
import { errorOf } from '../support/rejection.ts';
import { clusterForEachTest } from './cluster-scene.ts';

const NOW_MS = Date.UTC(2026, 0);

describe('moving a ledger', function () {
  this.timeout(30_000);
  const cluster = clusterForEachTest();
  const folder = folderForEachTest();

  async function move(direction: typeof importDirectory, name: string): Promise<string> {
    const client = await cluster.etcd.client();
    const report = new RecordingReport();
    return await direction({ client, prefix: cluster.prefix, directory: folder.at(name), nowMs: NOW_MS, report });
  }

  async function whyNot(direction: typeof importDirectory, name: string): Promise<string> {
    return (await errorOf(move(direction, name))).message;
  }

  /** The state directory of a server that gave tokens to two sessions, one of which has lost a hold, and was stopped on purpose. */
  async function makeDirectory(name: string): Promise<{ readonly lineage: string; readonly last: number }> {
    const ledger = await openLedger(folder.at(name));
    await Promise.all(['a', 'b'].map((id) => ledger.sessions.add(session(id))));
    await ledger.sessions.lose('b', { token: 5, reason: 'forced' });
    const last = take(ledger, 10);
    await ledger.savedStop.save({ holds: ['ä', 1] });
    await ledger.closeOnce();
    return { lineage: ledger.lineage, last };
  }

  it('moves all of it into the cluster and back, into files that a server starts with', async () => {
    const { lineage, last } = await makeDirectory('first');
    expect(await move(importDirectory, 'first')).to.match(/^moved .*first into the cluster: .*, sessions: 2$/);
    expect(readdirSync(folder.at('first'))).to.have.members(['lock', 'tokens.moved', 'sessions.moved']);
    expect((await errorOf(openLedger(folder.at('first')))).message).to.match(/first was moved into a cluster; use the/);
    expect(await move(exportDirectory, 'second')).to.match(/^moved the cluster into .*second: .*, sessions: 2$/);
    expect(cluster.etcd.control('get', cluster.prefix, '--prefix', '--keys-only')).to.equal('');

    const ledger = await openLedger(folder.at('second'));
    expect(ledger.lineage).to.equal(lineage);
    expect(ledger.tokens.begin).to.be.greaterThan(last);
    const losses = [{ token: 5, reason: 'forced' }];
    expect(ledger.sessions.atStart).to.deep.equal([session('a'), { ...session('b'), losses }]);
    expect(await ledger.savedStop.take()).to.deep.equal({ holds: ['ä', 1] });
  });

  it('moves more sessions than etcd takes at once', async () => {
    const ledger = await openLedger(folder.at('first'));
    const ids = Array.from({ length: 120 }, (_, index) => `session ${index}`);
    await Promise.all(ids.map((id) => ledger.sessions.add(session(id))));
    await ledger.closeOnce();
    await move(importDirectory, 'first');
    await move(exportDirectory, 'second');
    const moved = await openLedger(folder.at('second'));
    expect(moved.sessions.atStart.map(({ id }) => id)).to.have.members(ids);
  });

  it('does a move again that was cut short among the sessions', async () => {
    await makeDirectory('first');
    cluster.etcd.control('put', `${cluster.prefix}sessions/of the first attempt`, '{"secretHash":"x","timeoutMs":1}');
    await move(importDirectory, 'first');
    const keys = cluster.etcd.control('get', `${cluster.prefix}sessions/`, '--prefix', '--keys-only');
    expect(keys.trim().split(/\n+/)).to.deep.equal([`${cluster.prefix}sessions/a`, `${cluster.prefix}sessions/b`]);
  });

  it('does the rest of a move that was cut short before the files had other names', async () => {
    const { lineage } = await makeDirectory('first');
    cluster.etcd.control('put', `${cluster.prefix}lineage`, lineage);
    expect(await move(importDirectory, 'first')).to.match(/^the cluster has the lineage .* already; put .* aside$/);
    expect(readdirSync(folder.at('first')))
      .to.include('tokens.moved')
      .and.not.include('tokens');
  });

  it('refuses what would mix two ledgers, or leave a server without its own', async () => {
    await makeDirectory('first');
    await makeDirectory('other');
    expect(await whyNot(importDirectory, 'nowhere')).to.match(
      /nowhere has no file "tokens"; expected the state directory/,
    );
    expect(await whyNot(exportDirectory, 'new')).to.equal(
      `etcd has no key ${cluster.prefix}lineage; expected the keys of a cluster below ${cluster.prefix}`,
    );
    await move(importDirectory, 'first');
    expect(await whyNot(importDirectory, 'other')).to.match(/^the cluster has tokens of another lineage: /);
    expect(await whyNot(exportDirectory, 'other')).to.match(/other has a file "tokens"; expected a directory that no/);
    expect(readdirSync(folder.at('other'))).to.include.members(['tokens', 'sessions', 'stop']);

    cluster.etcd.control('put', `${cluster.prefix}nodes/c`, '{}');
    expect(await whyNot(exportDirectory, 'new')).to.equal('servers of the cluster run: c; stop all servers');
    cluster.etcd.control('put', `${cluster.prefix}leader`, '{}');
    for (const [direction, name] of [
      [importDirectory, 'other'],
      [exportDirectory, 'new'],
    ] as const) {
      expect(await whyNot(direction, name)).to.match(/^a server of the cluster leads, or another move is under way/);
    }
  });

  it('puts the locks of a planned stop back when they do not get to the other side', async () => {
    const ledger = await openLedger(folder.at('first'));
    await ledger.sessions.add({ ...session('a'), secretHash: 'more than etcd takes'.repeat(100_000) });
    await ledger.savedStop.save({ holds: 1 });
    await ledger.closeOnce();
    expect(await whyNot(importDirectory, 'first')).to.match(/too large/);
    const again = await openLedger(folder.at('first'));
    expect(again.sessions.atStart).to.have.lengthOf(1);
    expect(await again.savedStop.take()).to.deep.equal({ holds: 1 });
  });

  it('keeps a lock and its waiter from one server to a cluster and back, and tokens grow in one lineage', async () => {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    const inCluster = ['--cluster-etcd', ...cluster.etcd.endpoints, '--cluster-advertise', address];

    async function whileServing(args: readonly string[], act: () => Promise<void>): Promise<unknown> {
      const { program } = await startListening('bin/server.js', '--port', String(port), ...args);
      await act();
      const { lineage } = await (await RawClient.connect(port)).ask('hello', { protocol: 1 });
      program.signal('SIGTERM');
      await program.exit;
      return lineage;
    }

    async function moveByProgram(flag: string, name: string): Promise<void> {
      const program = startProgram('bin/server.js', ...inCluster, flag, folder.at(name));
      expect(await program.exit, program.errorOutput).to.deep.equal({ code: 0, signal: null });
      expect(program.output).to.match(/^moved .*\n$/);
    }

    function connect(): LockClient {
      const client = new LockClient({ port, reconnect: { minDelayMs: 10, maxDelayMs: 50 } });
      whenTestEnds(() => client.close());
      return client;
    }

    const [holder, waiter, other] = [connect(), connect(), connect()];
    const tokens: number[] = [];
    let release = (): Promise<void> => Promise.resolve();
    let waiting: Promise<{ readonly token: number }> = Promise.reject(new Error('it does not wait yet'));
    waiting.catch(() => {});
    const takeOther = async (): Promise<void> => {
      const lock = await other.lock('other');
      tokens.push(lock.token);
      await lock.release();
    };

    const first = await whileServing(['--state', folder.at('first')], async () => {
      const held = await holder.lock('jobs');
      tokens.push(held.token);
      release = async () => {
        await held.release();
      };
      waiting = waiter.lock('jobs', { waitMs: 60_000 });
      await takeOther();
    });
    await moveByProgram('--cluster-import', 'first');
    const second = await whileServing(inCluster, takeOther);
    await moveByProgram('--cluster-export', 'second');
    const third = await whileServing(['--state', folder.at('second')], async () => {
      await takeOther();
      await release();
      tokens.push((await waiting).token);
    });

    expect([second, third]).to.deep.equal([first, first]);
    expect(tokens)
      .to.have.lengthOf(5)
      .and.deep.equal(tokens.toSorted((a, b) => a - b));
    expect(new Set(tokens).size).to.equal(5);
  });
});
