import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { needs } from '../../foreign/system-program.ts';
import { makeFolder } from '../../server/clean-up.ts';
import { until } from '../../server/raw-client.ts';
import { sceneForEachTest } from './holdfast-scene.ts';
import { Terminal } from './terminal.ts';

const TELLS_TERM = "trap 'echo term; exit 5' TERM; echo running; read line";

describe('holdfast run in its surroundings', () => {
  const scene = sceneForEachTest();

  it('passes signals on as process 1 of a container', async function () {
    needs(this, 'unshare');
    if (process.getuid?.() !== 0) this.skip();
    const program = scene.startUnder(['unshare', '--pid', '--fork', '--kill-child'], 'run', 'jobs', '-c', TELLS_TERM);
    expect(await program.nextLine()).to.equal('running');
    const [wrapper] = readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, 'utf8').split(' ');
    process.kill(Number(wrapper), 'SIGTERM');
    expect((await program.exit).code).to.equal(5);
    expect(await scene.bystander.stats()).to.include({ holders: 0, releases: 1 });
  });

  it('ends with its command when timeout ends it', async () => {
    const program = scene.startUnder(['timeout', '2'], 'run', 'jobs', '-c', TELLS_TERM);
    expect((await program.exit).code).to.equal(124);
    expect(program.output).to.equal('running\nterm\n');
    expect(await scene.bystander.stats()).to.include({ holders: 0, orphans: 0 });
  });

  it('runs as from cron: with next to no environment, and without a terminal', async function () {
    needs(this, 'setsid');
    const cron = ['env', '-i', 'PATH=/usr/bin:/bin', '/bin/sh', '-c', 'exec setsid -w "$0" "$@" </dev/null'];
    const tellAll = 'echo "$HOLDFAST_LOCK $HOLDFAST_TOKEN"; env | cut -d = -f 1 | sort; exit 3';
    const program = scene.startUnder(cron, 'run', '--server', scene.address, 'jobs', '-c', tellAll);
    expect((await program.exit).code).to.equal(3);
    expect(program.errorOutput).to.equal('');
    const [first, ...names] = program.output.trim().split('\n');
    expect(first).to.equal('jobs 1');
    const own = ['HOLDFAST_LOCK', 'HOLDFAST_SERVER', 'HOLDFAST_TOKEN', 'HOLDFAST_WAITED_MS'];
    // Those of the shell beside ours.
    expect(names.filter((name) => !['OLDPWD', 'PATH', 'PWD', 'SHLVL', '_'].includes(name))).to.deep.equal(own);
    expect(await scene.bystander.stats()).to.include({ holders: 0, releases: 1 });
  });

  it('runs one command after the other when xargs starts several, and xargs hears of failures', async () => {
    const xargs = ['sh', '-c', `printf 'one\\ntwo\\n' | xargs -P 2 -I NAME "$@"`, 'sh'];
    const command = 'echo begin NAME; echo end NAME; test NAME = one';
    const program = scene.startUnder(xargs, 'run', 'jobs', '--', 'sh', '-c', command);
    // What xargs ends with when a command has failed.
    expect((await program.exit).code).to.equal(123);
    expect(program.output).to.match(/^begin (\w+)\nend \1\nbegin (\w+)\nend \2\n$/);
    expect(await scene.bystander.stats()).to.include({ holders: 0, grants: 2 });
  });

  it('leaves Ctrl-C to the terminal, which sends it to the command once', async function () {
    needs(this, 'tmux');
    const log = join(makeFolder(), 'log');
    const terminal = new Terminal({ columns: 80, rows: 24 });
    const said = (): string => execFileSync('sh', ['-c', `cat ${log} 2>/dev/null || true`], { encoding: 'utf8' });
    const inner = `trap "echo interrupted >>${log}" INT; echo running >>${log}; read line; read line; exit 6`;
    const wrapper = `HOLDFAST_SERVER=${scene.address} ${process.execPath} bin/holdfast.js run jobs -- sh -c '${inner}'`;
    // The shell around it hears of Ctrl-C, too.
    terminal.run(`trap : INT; ${wrapper}; echo ended $? >>${log}; cat`);
    await until(async () => Promise.resolve(said().includes('running')));
    terminal.press('C-c');
    await until(async () => Promise.resolve(said().includes('interrupted')));
    for (const key of ['Enter', 'Enter']) terminal.press(key);
    await until(async () => Promise.resolve(said().includes('ended')));
    expect(said()).to.equal('running\ninterrupted\nended 6\n');
    expect(await scene.bystander.stats()).to.include({ holders: 0, releases: 1 });
  });
});
