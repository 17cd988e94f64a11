import { expect } from 'chai';
import { type PageContents, pageOf } from '../../../lib/cli/holdfast/top/page.ts';
import { ratesBetween, type Sample, takeSample } from '../../../lib/cli/holdfast/top/sample.ts';
import { needs } from '../../foreign/system-program.ts';
import { until } from '../../server/raw-client.ts';
import { sceneForEachTest } from './holdfast-scene.ts';
import { Terminal } from './terminal.ts';

describe('holdfast top', () => {
  const scene = sceneForEachTest();

  /** What there is to show of the server of the scene. */
  async function contents(change: Partial<PageContents> = {}): Promise<PageContents> {
    const sample = await takeSample(scene.bystander);
    return { place: scene.address, sample, rates: undefined, sort: 'time', note: '', ...change };
  }

  /** Ben has held `b` longest, then Anna `c` and `a`, for which two wait. */
  async function setScene(): Promise<void> {
    const ben = await scene.server.client();
    await ben.identify('ben');
    const anna = scene.bystander;
    await anna.identify('anna\u202e with a name that is longer than a line of a narrow terminal');
    for (const [client, name] of [
      [ben, 'b'],
      [anna, 'c'],
      [anna, 'a'],
    ] as const) {
      await client.lock(name);
      await until(async () => ((await anna.inspect(name)).holders[0]?.heldMs ?? 0) > 1);
    }
    for (const owner of ['x', 'y']) anna.lock('a', { owner }).catch(() => {});
    await scene.untilWaiting(2);
  }

  it('fits any terminal', async () => {
    await setScene();
    const shown = await contents();
    const sizes = [
      [80, 24],
      [40, 10],
      [20, 5],
      [1, 1],
    ] as const;
    for (const [columns, rows] of sizes) {
      const lines = pageOf(shown, { columns, rows });
      expect(lines.length, `${columns}x${rows}`).to.be.within(1, rows);
      expect(Math.max(...lines.map(({ length }) => length)), `${columns}x${rows}`).to.be.at.most(columns);
    }
    const text = pageOf(shown, { columns: 80, rows: 24 }).join('\n');
    expect(text)
      .to.match(/^127\.0\.0\.1:\d+, up .*\nheld 3 {2}waiting 2 {2}requests -\/s/)
      .and.match(/\nWAITED +LOCK +MODE +CLIENT\n\d+ m?s +a +exclusive +"anna\\u202e with/)
      .and.match(/\nHELD +LOCK +MODE +CLIENT\n\d+ m?s +b +exclusive +ben .*\n\d+ m?s +c .*\n\d+ m?s +a /)
      .and.match(/ maxLocks 3\/2,000,000\b/)
      .and.match(/\nq quits, s sorts \(by time\)$/);
    const narrow = pageOf(shown, { columns: 40, rows: 10 });
    expect(narrow.filter((line) => /^\d+ m?s +[abc] /.test(line))).to.have.lengthOf(3);
    expect(narrow.join('\n')).not.to.include('exclusive');
  });

  it('says how old the lists are where the server looks at its locks less often', async () => {
    const shown = await contents();
    const { statistics, survey } = shown.sample as Sample;
    const headAt = (ageMs: number): string | undefined =>
      pageOf({ ...shown, sample: { statistics, survey: { ...survey, ageMs } } }, { columns: 80, rows: 24 })[0];
    expect(headAt(4_999)).to.match(/, up \d+ m?s$/);
    expect(headAt(31_000)).to.match(/, up \d+ m?s, lists as of 31 s ago$/);
  });

  it('gives the waits and the holds half of the room, and more where the others need less', async () => {
    for (let index = 0; index < 30; index += 1) {
      await scene.bystander.lock(`lock ${index}`);
      if (index < 20) scene.bystander.lock(`lock ${index}`, { owner: 'x' }).catch(() => {});
    }
    await scene.untilWaiting(20);
    const shown = await contents();
    const countsOf = (rows: number): readonly number[] => {
      const lines = pageOf(shown, { columns: 100, rows });
      const [waits, holds] = lines.join('\n').split('\nHELD');
      return [waits, holds].map((list) => list?.match(/ exclusive /g)?.length ?? 0);
    };
    expect(countsOf(24)).to.deep.equal([9, 9]);
    expect(countsOf(52)).to.deep.equal([20, 26]);
    expect(countsOf(60)).to.deep.equal([20, 30]);
  });

  it('sorts by the lock or the client', async () => {
    await setScene();
    const locksOf = async (sort: PageContents['sort']): Promise<readonly string[]> => {
      const [, holds = ''] = pageOf(await contents({ sort }), { columns: 80, rows: 24 })
        .join('\n')
        .split('\nHELD');
      return [...holds.matchAll(/m?s +(\S+) +exclusive/g)].map(([, lock]) => lock ?? '');
    };
    expect(await locksOf('time')).to.deep.equal(['b', 'c', 'a']);
    expect(await locksOf('lock')).to.deep.equal(['a', 'b', 'c']);
    expect(await locksOf('client')).to.deep.equal(['c', 'a', 'b']);
  });

  it('tells how fast the counters grew, unless the server was started since', async () => {
    const before = await takeSample(scene.bystander);
    for (let count = 0; count < 10; count += 1) await (await scene.bystander.lock('a')).release();
    const after = await takeSample(scene.bystander);
    const atOnce = { ...after, statistics: { ...after.statistics, uptimeMs: before.statistics.uptimeMs + 2_000 } };
    // And the two requests of the later sample.
    expect(ratesBetween(before, atOnce)).to.deep.equal({ requests: 11, grants: 5, releases: 5, losses: 0 });
    expect(ratesBetween(undefined, after)).to.equal(undefined);
    expect(ratesBetween(atOnce, before)).to.equal(undefined);
  });

  it('prints once without a terminal, and is refused there without --once', async () => {
    await setScene();
    const [json, refused] = await Promise.all([
      scene.run('top', '--once', '--every', '0.1', '--json'),
      scene.run('top'),
    ]);
    const { rates, statistics, survey } = JSON.parse(json.output);
    expect([rates.losses, statistics.holders, survey.longestWaits.length]).to.deep.equal([0, 3, 1]);
    expect([refused.code, refused.output]).to.deep.equal([64, '']);
    expect(refused.errors).to.match(/standard output is no terminal; expected one, or --once/);
  });

  it('leaves the terminal as it was, by q and by a signal, and takes keys', async function () {
    needs(this, 'tmux');
    const terminal = new Terminal({ columns: 50, rows: 12 });
    const top = `HOLDFAST_SERVER=${scene.address} ${process.execPath} bin/holdfast.js top --every 0.2`;
    const record = 'echo "ended $?"';
    terminal.run(`echo before; ${top}; ${record}; ${top}; ${record}; cat`);
    await terminal.untilShown('q quits, s sorts (by time)');
    expect(terminal.shown).not.to.include('before');
    terminal.press('s');
    await terminal.untilShown('sorts (by lock)');
    terminal.press('q');
    await terminal.untilShown('ended 0');
    await terminal.untilShown('q quits');
    terminal.press('C-c');
    await terminal.untilShown('ended 130');
    expect(terminal.shown).to.equal('before\nended 0\nended 130');
    expect(terminal.modes).to.deep.equal({ isAlternate: false, hasCursor: true, wraps: true });
  });
});
