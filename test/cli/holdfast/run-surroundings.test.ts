import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { needs } from '../../foreign/system-program.ts';
import { makeFolder, whenTestEnds } from '../../server/clean-up.ts';
import { until } from '../../server/raw-client.ts';
import { sceneForEachTest } from './holdfast-scene.ts';

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

  it('leaves Ctrl-C to the terminal, which sends it to the command once', async function () {
    needs(this, 'tmux');
    const folder = makeFolder();
    const [socket, log] = [join(folder, 'tmux'), join(folder, 'log')];
    const tmux = (...args: string[]): string => execFileSync('tmux', ['-S', socket, ...args], { encoding: 'utf8' });
    const said = (): string => execFileSync('sh', ['-c', `cat ${log} 2>/dev/null || true`], { encoding: 'utf8' });
    const inner = `trap "echo interrupted >>${log}" INT; echo running >>${log}; read line; read line; exit 6`;
    const wrapper = `HOLDFAST_SERVER=${scene.address} ${process.execPath} bin/holdfast.js run jobs -- sh -c '${inner}'`;
    // The shell around it hears of Ctrl-C, too.
    tmux('new-session', '-d', `trap : INT; ${wrapper}; echo ended $? >>${log}`);
    whenTestEnds(() => execFileSync('sh', ['-c', `tmux -S ${socket} kill-server || true`], { stdio: 'ignore' }));
    await until(async () => Promise.resolve(said().includes('running')));
    tmux('send-keys', 'C-c');
    await until(async () => Promise.resolve(said().includes('interrupted')));
    tmux('send-keys', 'Enter', 'Enter');
    await until(async () => Promise.resolve(said().includes('ended')));
    expect(said()).to.equal('running\ninterrupted\nended 6\n');
    expect(await scene.bystander.stats()).to.include({ holders: 0, releases: 1 });
  });
});
