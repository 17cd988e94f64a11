import { expect } from 'chai';
import { exitCodeOf } from '../../../lib/cli/holdfast/failure.ts';
import { top } from '../../../lib/cli/holdfast/top/top.ts';
import { watch } from '../../../lib/cli/holdfast/watch.ts';
import { needs } from '../../foreign/system-program.ts';
import { endTest } from '../../server/clean-up.ts';
import { startServer } from '../../server/running-server.ts';
import { errorOf } from '../../support/rejection.ts';
import { sceneForEachTest } from './holdfast-scene.ts';
import { Terminal } from './terminal.ts';

describe('holdfast watch', () => {
  const scene = sceneForEachTest({}, undefined, { forceUnlock: true });

  /** Until the program has begun to watch. */
  async function untilWatched(count: number): Promise<void> {
    await scene.until(({ requests }) => requests.watch === count);
  }

  it('prints one line for each event, goes on after a restart, and ends by a signal', async () => {
    const program = scene.start('watch', '--prefix', 'jo');
    await untilWatched(1);
    await scene.bystander.identify('anna\u202e');
    const other = await scene.server.client({ reconnect: false, session: false });
    await scene.bystander.lock('other');
    await scene.bystander.lock('jobs');
    const wait = other.lock('jobs', { mode: 'shared' });
    await scene.untilWaiting(1);
    await scene.bystander.forceUnlock('jobs');
    await (await wait).release();
    const lines = [];
    for (let count = 0; count < 5; count += 1) lines.push(await program.nextLine());
    const expected = [
      /^\d\d:\d\d:\d\d {2}grant {4}jobs {2}exclusive {2}"anna\\u202e" \(127\.0\.0\.1:\d+\) {2}token 2$/,
      / {2}wait {5}jobs {2}shared {2}\S+ \(127\.0\.0\.1:\d+\)$/,
      / {2}loss {5}jobs {2}exclusive {2}\S+ \(\S+\) {2}forced, token 2, held \d+ m?s$/,
      / {2}grant {4}jobs {2}shared {2}\S+ \(\S+\) {2}token 3, waited \d+ m?s$/,
      / {2}release {2}jobs {2}shared {2}\S+ \(\S+\) {2}token 3, waited \d+ m?s, held \d+ m?s$/,
    ];
    for (const [index, line] of lines.entries()) expect(line).to.match(expected[index] as RegExp);
    await scene.restart();
    await untilWatched(1);
    await scene.bystander.lock('jobs');
    expect(await program.nextErrorLine()).to.match(/^holdfast: the connection was lost/);
    expect(await program.nextErrorLine()).to.equal('holdfast: connected again');
    expect(await program.nextLine()).to.equal('some events were missed');
    expect(await program.nextLine()).to.match(/ {2}grant {4}jobs {2}/);
    program.signal('SIGINT');
    expect(await program.exit).to.deep.equal({ code: null, signal: 'SIGINT' });
  });

  it('prints one JSON object a line, about one lock', async () => {
    const program = scene.start('watch', 'jobs', '--json', '--max', '2');
    await untilWatched(1);
    for (const name of ['jobs 1', 'jobs']) await (await scene.bystander.lock(name)).release();
    const [grant, release] = [JSON.parse(await program.nextLine()), JSON.parse(await program.nextLine())];
    expect(grant).to.include({ kind: 'grant', lockName: 'jobs', token: 2 }).and.not.have.any.keys('event');
    expect(release).to.include({ kind: 'release', lockName: 'jobs', token: 2 });
    expect((await program.exit).code).to.equal(0);
  });
});

describe('holdfast ls --watch', () => {
  const scene = sceneForEachTest();

  it('prints the list again and again, with an empty line between', async () => {
    await scene.bystander.lock('a');
    const program = scene.start('ls', '--watch', '--every', '0.1');
    expect(await program.nextLine()).to.match(/^LOCK /);
    expect(await program.nextLine()).to.match(/^a /);
    expect(await program.nextLine()).to.equal('');
    await scene.bystander.lock('b');
    while (!(await program.nextLine()).startsWith('b '));
    program.signal('SIGTERM');
    expect((await program.exit).signal).to.equal('SIGTERM');
  });
});

describe('holdfast ls --watch at a terminal', () => {
  const scene = sceneForEachTest();

  it('shows what there is room for, from the top', async function () {
    needs(this, 'tmux');
    for (let index = 0; index < 20; index += 1) await scene.bystander.lock(`lock ${index}`);
    const terminal = new Terminal({ columns: 100, rows: 10 });
    const list = `HOLDFAST_SERVER=${scene.address} ${process.execPath} bin/holdfast.js ls --watch --every 0.1`;
    // The shell hears of Ctrl-C, too.
    terminal.run(`trap : INT; echo before; ${list}; echo "ended $?"; cat`);
    await terminal.untilShown('13 more are not shown, since the terminal has no more lines');
    expect(terminal.shown).to.match(/^LOCK .*\n(lock \d+ .*\n){7}13 more/);
    terminal.press('C-c');
    await terminal.untilShown('ended 130');
  });
});

describe('holdfast on a server without listings', () => {
  afterEach(endTest);

  it('ends with 77 when it is to watch, or to show what stands out', async () => {
    const { port } = await startServer({}, undefined, { dump: false });
    const place = { server: [`127.0.0.1:${port}`] };
    for (const asking of [watch('jobs', place), top({ ...place, every: 100, sort: 'time', once: true })]) {
      const error = await errorOf(asking);
      expect(error.message).to.match(/^(watch|survey) was refused: denied$/);
      expect(exitCodeOf(error)).to.equal(77);
    }
  });
});
