import { expect } from 'chai';
import { bench } from '../../../lib/cli/holdfast/bench/bench.ts';
import { Load } from '../../../lib/cli/holdfast/bench/load.ts';
import { errorOf } from '../../support/rejection.ts';
import { sceneForEachTest } from './holdfast-scene.ts';

describe('holdfast bench', () => {
  const scene = sceneForEachTest();

  it('measures a server that nobody else uses, and leaves nothing behind', async () => {
    const { code, output, errors } = await scene.run('bench', '--seconds', '0.1', '--connections', '2', '--json');
    expect([code, errors]).to.deep.equal([0, '']);
    const { pairs, elapsedMs, requestsPerSecond, lockMs, ...rest } = JSON.parse(output);
    expect(rest).to.include({ connections: 2, depth: 1, names: 1_000 }).and.not.have.any.keys('handoffMs');
    expect(requestsPerSecond).to.be.closeTo((2_000 * pairs) / elapsedMs, 0.02 * requestsPerSecond);
    expect([lockMs.p50 > 0, lockMs.p50 <= lockMs.p99, lockMs.p99 <= lockMs.p999]).to.deep.equal([true, true, true]);
    const { grants, locks, openConnections } = await scene.bystander.stats();
    expect(grants).to.be.at.least(pairs);
    expect([locks, openConnections]).to.deep.equal([0, 1]);
  });

  it('refuses a server on which others hold locks, until --yes says that they may be disturbed', async () => {
    const handle = await scene.bystander.lock('jobs');
    const options = { server: [scene.address], connections: 1, seconds: 100, depth: 1, names: 1 };
    const refused = await errorOf(bench(options));
    expect(refused).to.include({
      exitCode: 64,
      message: 'the server is in use: 1 held, 0 waiting; with --yes they share it with the load',
    });
    const { output } = await scene.run('bench', '--seconds', '0.1', '--connections', '2', '--one', '--yes');
    expect(output).to.match(
      /^[\d,]+ requests\/s: locks and unlocks of 2 connections\n {9}P50 +P99 +P99\.9\nlock {5}\d/,
    );
    expect(output).to.match(/\nhandoff {2}\d+\.\d\d ms {2}\d+\.\d\d ms {2}\d+\.\d\d ms\n$/);
    expect(handle.signal.aborted).to.equal(false);
  });

  it('leaves nothing behind when it is killed', async () => {
    const program = scene.start('bench', '--connections', '2', '--seconds', '100');
    await scene.until(({ grants }) => grants > 10);
    program.signal('SIGKILL');
    await scene.until(({ holders, waiting, suspendedSessions, openConnections }) => {
      return holders + waiting + suspendedSessions === 0 && openConnections === 1;
    });
    expect((await scene.bystander.list()).locks).to.deep.equal([]);
  });

  it('measures how fast a lock is handed on only where clients wait for each other', async () => {
    const clients = [scene.bystander, await scene.server.client()];
    for (const [names, waits] of [
      [1, true],
      [10, false],
    ] as const) {
      const load = new Load({ clients, depth: 2, prefix: `bench ${names} `, names });
      const ending = new AbortController();
      const running = load.run(ending.signal);
      const { grants: before } = await scene.bystander.stats();
      await scene.until(({ grants }) => grants > before + 100);
      ending.abort();
      await running;
      const { pairs, lock, handoff } = load.measure();
      expect(lock.count, String(names)).to.equal(pairs);
      expect(handoff.count > 0, String(names)).to.equal(waits);
    }
    expect(await scene.bystander.stats()).to.include({ holders: 0, waiting: 0 });
  });
});
