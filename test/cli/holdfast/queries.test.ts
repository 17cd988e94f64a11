import { expect } from 'chai';
import { InvalidArgumentError } from 'commander';
import { showDuration, showMoment, showName, table } from '../../../lib/cli/holdfast/format.ts';
import { placeOf } from '../../../lib/cli/holdfast/place.ts';
import { parseMoment } from '../../../lib/cli/holdfast/times.ts';
import { SystemProgram } from '../../foreign/system-program.ts';
import { RawClient, until } from '../../server/raw-client.ts';
import { sceneForEachTest } from './holdfast-scene.ts';

/** The objects of an output with one on each line. */
function objectsOf(output: string): readonly Record<string, unknown>[] {
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('holdfast, when it asks a server', () => {
  const scene = sceneForEachTest();

  it('prints one JSON object a line with --json, also before the command', async () => {
    await scene.bystander.lock('jobs');
    await scene.bystander.lock('other', { mode: 'permit', limit: 2 });
    const locks = objectsOf((await scene.run('ls', '--json')).output);
    expect(locks.map(({ lockName, holderCount }) => [lockName, holderCount])).to.deep.equal([
      ['jobs', 1],
      ['other', 1],
    ]);
    const permits = objectsOf((await scene.run('ls', '--mode', 'permit', '--json')).output);
    expect(permits.map(({ lockName }) => lockName)).to.deep.equal(['other']);
    const placed = await scene.run('--server', scene.address, 'inspect', 'jobs', '--json');
    expect(objectsOf(placed.output)[0]).to.include({ lockName: 'jobs', holderCount: 1, waiterCount: 0 });
    expect(objectsOf((await scene.run('stats', '--json')).output)[0]).to.include({ locks: 1, permits: 1 });
  });

  it('prints no control or format character that another client chose', async () => {
    const odd = 'a\u001b[2J\u0085\u202eb';
    await scene.bystander.rpc('lock', { lockName: odd, owner: odd });
    const other = await scene.server.client();
    await other.identify('waiter\u202e');
    other.lock(odd).catch(() => {});
    await scene.untilWaiting(1);
    const commands = [['inspect', odd], ['ls'], ['who'], ['why', 'waiter\u202e'], ['run', '-n', odd, '--', 'true']];
    for (const command of commands) {
      const { output, errors } = await scene.run(...command);
      expect(output + errors, command.join(' '))
        .to.contain('\\u202e')
        .and.not.match(/[^\n\P{Cc}]|\p{Cf}/u);
    }
    const { output } = await scene.run('ls', '--json');
    expect(output)
      .to.contain('\\u202e')
      .and.not.match(/[^\n\P{Cc}]|\p{Cf}/u);
    expect(objectsOf(output)[0]).to.include({ lockName: odd });
  });

  it('says how many locks are not shown', async () => {
    for (const name of ['a', 'b', 'c']) await scene.bystander.lock(name);
    for (const [max, text] of [
      ['1', '2 more are not shown, since --max is 1\n'],
      ['2', '1 more is not shown, since --max is 2\n'],
    ] as const) {
      expect((await scene.run('ls', '--max', max)).errors).to.equal(text);
    }
  });

  it('does not count very many locks that are not shown', async () => {
    await scene.bystander.lockAll(Array.from({ length: 1_000 }, (_, index) => `lock-${index}`));
    await scene.bystander.lock('one more');
    const { errors } = await scene.run('ls', '--max', '1');
    expect(errors).to.equal('at least 1000 more are not shown, since --max is 1\n');
  });

  it('says that the session of a holder is suspended', async () => {
    const peer = await RawClient.connect(scene.server.port);
    await peer.ask('hello', { protocol: 1, session: {} });
    await peer.take('jobs');
    peer.reset();
    await until(async () => (await scene.bystander.stats()).suspendedSessions === 1);
    expect((await scene.run('inspect', 'jobs')).output).to.match(/ {2}suspended, free in \d+ s {2}/);
  });

  it('says that clients wait for each other in a circle, by name and by address', async () => {
    const other = await scene.server.client();
    await scene.bystander.identify('one');
    await other.identify('two');
    await scene.bystander.lock('a');
    await other.lock('b');
    for (const wait of [scene.bystander.lock('b'), other.lock('a')]) wait.catch(() => {});
    await scene.untilWaiting(2);
    const { code, output } = await scene.run('why', 'one');
    expect(code).to.equal(0);
    expect(output).to.match(/^one \(\S+\) waits for b .*\n {2}held by two .*\n {2}two .* waits for a .*\n/);
    expect(output).to.match(
      /\n {4}held by one .*\n {4}that closes a circle: none of them goes on before one gives up\n$/,
    );
    const address = String((await other.rpc('whoami')).address);
    expect((await scene.run('why', address)).output).to.match(/^two \(/);
    const nobody = await scene.run('why', 'three');
    expect([nobody.code, nobody.output]).to.deep.equal([1, 'three: no client of that name or address waits\n']);
  });

  it('ends with 77 where the server does not allow to take locks away', async () => {
    await scene.bystander.lock('jobs');
    for (const command of ['release', 'kill']) {
      const { code, output, errors } = await scene.run(command, 'jobs');
      expect([code, output], command).to.deep.equal([77, '']);
      expect(errors).to.match(/^holdfast: \w+ was refused: .*; the server allows it on a listener for operators/);
    }
    expect((await scene.run('history')).code).to.equal(77);
  });

  it('ends without a complaint when nobody reads on', async () => {
    await scene.bystander.lockAll(Array.from({ length: 1_000 }, (_, index) => `a long name of a lock ${index}`));
    const piped = `${process.execPath} bin/holdfast.js ls --json | head -c 10 >/dev/null`;
    const program = new SystemProgram('sh', ['-c', piped], scene.environment);
    expect((await program.exit).code).to.equal(0);
    expect(program.errorOutput).to.equal('');
  });

  it('ends with 70 when the disk of its output is full', async () => {
    const program = new SystemProgram(
      'sh',
      ['-c', `${process.execPath} bin/holdfast.js stats >/dev/full`],
      scene.environment,
    );
    expect((await program.exit).code).to.equal(70);
    expect(program.errorOutput).to.match(/^holdfast: cannot print: ENOSPC/);
  });
});

describe('what holdfast prints and reads', () => {
  it('shows lengths of time by their two greatest units', () => {
    const cases = [
      [0, '0 ms'],
      [59_999, '59 s'],
      [61_000, '1 min 1 s'],
      [3_600_000 * 3 + 60_000 * 12, '3 h 12 min'],
      [86_400_000 * 2 + 3_600_000, '2 d 1 h'],
    ] as const;
    for (const [ms, text] of cases) expect(showDuration(ms)).to.equal(text);
  });

  it('shows the day only when it is another', () => {
    const noon = new Date(2026, 10, 27, 12).getTime();
    expect(showMoment(noon - 1_000, noon)).to.equal('11:59:59');
    expect(showMoment(noon - 86_400_000, noon)).to.equal('2026-11-26 12:00:00');
  });

  it('shows names that could confuse a terminal in quotes', () => {
    expect(showName('jobs of é 日本')).to.equal('jobs of é 日本');
    expect(showName('')).to.equal('""');
    expect(showName('\u001b[2Jgone')).to.equal('"\\u001b[2Jgone"');
    expect(showName('\u009b2J')).to.equal('"\\u009b2J"');
    expect(showName('a\u0085b\u202ec')).to.equal('"a\\u0085b\\u202ec"');
    expect(showName('\u{e0041}')).to.equal('"\\udb40\\udc41"');
  });

  it('aligns columns and cuts long cells, but for the last', () => {
    const long = 'x'.repeat(100);
    expect(table(['A', 'B'], [['1', long]])).to.equal(`A  B\n1  ${long}\n`);
    expect(table(['A', 'B'], [[long, '1']])).to.equal(`A${' '.repeat(61)}B\n${'x'.repeat(59)}…  1\n`);
  });

  it('reads times of the day, dates and how long ago', () => {
    const now = new Date(2026, 10, 27, 12).getTime();
    expect(parseMoment('03:12', now)).to.equal(new Date(2026, 10, 27, 3, 12).getTime());
    expect(parseMoment('23:12:05', now)).to.equal(new Date(2026, 10, 26, 23, 12, 5).getTime());
    expect(parseMoment('2026-11-01 03:12', now)).to.equal(new Date(2026, 10, 1, 3, 12).getTime());
    expect(parseMoment('2026-11-01T03:12:00Z', now)).to.equal(Date.UTC(2026, 10, 1, 3, 12));
    expect(parseMoment('90min', now)).to.equal(now - 5_400_000);
    for (const wrong of ['', '24:00', '3', 'yesterday', '-5min']) {
      expect(() => parseMoment(wrong, now), wrong).to.throw(InvalidArgumentError);
    }
  });

  it('takes the server from the options, then from the environment', () => {
    const variable = { HOLDFAST_SERVER: 'a:1, unix:/run/x' };
    expect(placeOf({ server: ['b:2'] }, variable).servers).to.deep.equal(['b:2']);
    expect(placeOf({}, variable)).to.deep.equal({ servers: ['a:1', 'unix:/run/x'], tls: undefined });
    expect(placeOf({}, {}).servers).to.deep.equal(['127.0.0.1:20934']);
    expect(() => placeOf({}, { HOLDFAST_SERVER: 'nonsense' })).to.throw(
      'HOLDFAST_SERVER is "nonsense"; expected host:port',
    );
  });
});
