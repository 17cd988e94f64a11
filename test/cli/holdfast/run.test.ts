import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { exitCodeOf } from '../../../lib/cli/holdfast/failure.ts';
import { LockDeniedError } from '../../../lib/client/lock-error.ts';
import { MessageError } from '../../../lib/message/message-error.ts';
import { SystemProgram } from '../../foreign/system-program.ts';
import { makeFolder, whenTestEnds } from '../../server/clean-up.ts';
import { until } from '../../server/raw-client.ts';
import { startServerProgram } from '../../server/running-program.ts';
import { freePort } from '../../support/free-port.ts';
import { HoldingProxy } from '../../support/holding-proxy.ts';
import { sceneForEachTest } from './holdfast-scene.ts';

/** It ends with its standard input, so it outlives no test. */
const UNTIL_TOLD = 'echo running; cat >/dev/null';
/** The shell hears of a signal at once, and tells. */
const TELLS_TERM = "trap 'echo term; exit 5' TERM; echo running; read line";
/** It goes on without its wrapper: the test must kill it. */
const GOES_ON = 'echo running; exec sleep 60';

describe('holdfast run', () => {
  const scene = sceneForEachTest({ minSessionTimeoutMs: 1 }, undefined, { forceUnlock: true });

  /** Starts a command under `jobs`, and waits until it runs. */
  async function startRunning(shell: string, ...options: readonly string[]): Promise<SystemProgram> {
    const program = scene.start('run', ...options, 'jobs', '-c', shell);
    expect(await program.nextLine()).to.equal('running');
    return program;
  }

  it('runs the command while it holds the lock, with its input, output, environment and exit code', async () => {
    const program = scene.start(
      'run',
      'jobs',
      '--',
      'sh',
      '-c',
      'read line; env | grep ^HOLDFAST; echo "$line" >&2; exit 3',
    );
    await scene.untilHeld(1);
    const { holders } = await scene.bystander.inspect('jobs');
    program.say('hello');
    expect(await program.exit).to.deep.equal({ code: 3, signal: null });
    expect(program.errorOutput).to.equal('hello\n');
    const variables = Object.fromEntries(
      program.output
        .trim()
        .split('\n')
        .map((line) => line.split('=')),
    );
    expect(variables).to.deep.include({ HOLDFAST_LOCK: 'jobs', HOLDFAST_TOKEN: String(holders[0]?.token) });
    expect(variables.HOLDFAST_SERVER).to.equal(scene.address);
    expect(variables.HOLDFAST_WAITED_MS).to.match(/^\d+$/);
    expect(await scene.bystander.stats()).to.include({ holders: 0, releases: 1, orphans: 0 });
  });

  it('tells by its exit code why the command did not run or how it ended', async () => {
    await scene.bystander.lock('taken');
    const nowhere = `127.0.0.1:${await freePort()}`;
    const cases: readonly (readonly [number, RegExp, ...string[]])[] = [
      [137, /^$/, 'jobs', '-c', 'kill -9 $$'],
      [127, /^holdfast: nosuch: command not found\n$/, 'jobs', '--', 'nosuch'],
      [126, /EACCES/, 'jobs', '--', '/'],
      [75, /"taken" was not granted: it is not free/, '-n', 'taken', '--', 'true'],
      [9, /"taken" was not granted/, '-w', '0.05', '-E', '9', 'taken', '--', 'true'],
      [69, /ECONNREFUSED/, '--server', nowhere, 'jobs', '--', 'true'],
      [64, /the command is missing; expected NAME -- COMMAND/, 'jobs'],
      [64, /unknown option '--nope'/, '--nope', 'jobs', '--', 'true'],
      [64, /the lock is "a,"; expected NAME/, 'a,', '--', 'true'],
    ];
    const outcomes = await Promise.all(cases.map(([, , ...args]) => scene.run('run', ...args)));
    for (const [index, [code, complaint, ...args]] of cases.entries()) {
      expect(outcomes[index]?.code, args.join(' ')).to.equal(code);
      expect(outcomes[index]?.errors, args.join(' ')).to.match(complaint);
    }
    expect(await scene.bystander.stats()).to.include({ holders: 1, waiting: 0 });
  });

  it('ends with 77 when the server does not allow it', () => {
    expect(exitCodeOf(new LockDeniedError('no'))).to.equal(77);
    const alert = Object.assign(new Error('no'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });
    expect(exitCodeOf(alert)).to.equal(77);
    expect(exitCodeOf(new MessageError('connectionLost', 'lost', { cause: alert }))).to.equal(77);
    expect(exitCodeOf(new MessageError('connectionLost', 'lost'))).to.equal(69);
  });

  it('leaves the queue at a signal, and ends with 128 and its number', async () => {
    const handle = await scene.bystander.lock('jobs');
    const programs = (['SIGTERM', 'SIGINT', 'SIGHUP'] as const).map((signal) => ({
      signal,
      program: scene.start('run', 'jobs', '--', 'true'),
    }));
    await scene.untilWaiting(3);
    for (const { program, signal } of programs) program.signal(signal);
    const exits = await Promise.all(programs.map(({ program }) => program.exit));
    expect(exits.map(({ code }) => code)).to.deep.equal([143, 130, 129]);
    await scene.untilWaiting(0);
    await handle.release();
  });

  it('passes signals on to the command and all that it has started', async () => {
    const inner = "trap 'echo inner; exit' USR1; echo running; read line";
    const program = await startRunning(`trap 'echo outer' USR1; sh -c "${inner}"; exit 4`);
    program.signal('SIGUSR1');
    expect((await program.exit).code).to.equal(4);
    expect(program.output).to.include('inner');
    expect(program.output).to.include('outer');
  });

  it('says after a second of waiting who has the lock, since when, and how many are ahead', async () => {
    await scene.bystander.identify('report@web3');
    const handle = await scene.bystander.lock('jobs');
    const other = await scene.server.client();
    const ahead = other.lock('jobs');
    await scene.untilWaiting(1);
    const program = scene.start('run', 'jobs', '--', 'true');
    expect(await program.nextErrorLine()).to.match(
      /^holdfast: waiting for jobs: held by report@web3 \(127\.0\.0\.1:\d+\) since \d\d:\d\d:\d\d \(\d+ s\); 1 ahead$/,
    );
    await handle.release();
    await (await ahead).release();
    expect((await program.exit).code).to.equal(0);
  });

  it('keeps the lock while the command lives, although the wrapper is killed', async () => {
    const program = await startRunning(GOES_ON);
    const pid = childOf(program.pid);
    process.kill(program.pid, 'SIGKILL');
    await until(() => !existsSync(`/proc/${program.pid}/stat`) || isZombie(program.pid));
    await until(async () => (await scene.bystander.stats()).openConnections === 2);
    expect(await scene.bystander.tryLock('jobs')).to.equal(null);
    process.kill(pid, 'SIGKILL');
    await (await scene.bystander.lock('jobs')).release();
  });

  it('frees the lock with the wrapper when the command inherits no anchor', async () => {
    const program = await startRunning(UNTIL_TOLD, '-o');
    expect((await scene.bystander.stats()).openConnections).to.equal(2);
    process.kill(program.pid, 'SIGKILL');
    await (await scene.bystander.lock('jobs')).release();
  });

  it('stops the command by TERM when the lock is taken away, and ends with 76', async () => {
    const program = await startRunning(TELLS_TERM);
    await scene.bystander.forceUnlock('jobs');
    expect((await program.exit).code).to.equal(76);
    expect(program.output).to.equal('running\nterm\n');
    expect(program.errorOutput).to.match(/^holdfast: the lock "jobs" was lost: .*; stopping the command\n$/);
  });

  it('kills what does not end by TERM, or lets it go on, as it is told', async () => {
    const stubborn = "trap '' TERM; echo running; cat >/dev/null";
    const killed = await startRunning(stubborn, '--kill-after', '0.1');
    await scene.bystander.forceUnlock('jobs');
    expect((await killed.exit).code).to.equal(76);
    const atOnce = await startRunning(TELLS_TERM, '--on-loss', 'kill');
    await scene.bystander.forceUnlock('jobs');
    expect([(await atOnce.exit).code, atOnce.output]).to.deep.equal([76, 'running\n']);
    const goesOn = await startRunning('echo running; read line; exit 6', '--on-loss', 'ignore');
    await scene.bystander.forceUnlock('jobs');
    expect(await goesOn.nextErrorLine()).to.include('the command goes on');
    goesOn.say('end');
    expect((await goesOn.exit).code).to.equal(6);
  });

  it('takes shared locks, permits and several locks', async () => {
    const shared = await startRunning(UNTIL_TOLD, '-s');
    const permit = await startRunning(UNTIL_TOLD, '-l', '2');
    const { holders } = await scene.bystander.inspect('jobs');
    expect(holders.map(({ mode }) => mode)).to.deep.equal(['shared', 'permit']);
    expect((await scene.run('run', '-n', '-l', '1', 'jobs', '--', 'true')).code).to.equal(75);
    const several = await scene.run('run', 'a,b', '-c', 'echo $HOLDFAST_LOCK $HOLDFAST_TOKEN');
    expect(several.output).to.match(/^a,b \d+,\d+\n$/);
    await Promise.all([shared.kill(), permit.kill()]);
  });

  it('runs one of 20 commands at a time', async () => {
    const folder = makeFolder();
    const [lock, log] = [join(folder, 'lock'), join(folder, 'log')];
    const alone = `mkdir ${lock} || echo overlap >>${log}; echo ran >>${log}; rmdir ${lock}`;
    const all = `seq 20 | xargs -P 20 -I{} ${process.execPath} bin/holdfast.js run jobs -c '${alone}'`;
    const program = new SystemProgram('sh', ['-c', all], scene.environment);
    expect(await program.exit).to.deep.equal({ code: 0, signal: null });
    expect(readFileSync(log, 'utf8')).to.equal('ran\n'.repeat(20));
  });
});

describe('holdfast run whose server does not answer', () => {
  // Time-outs of sessions are 5 seconds here.
  const scene = sceneForEachTest({ minSessionTimeoutMs: 1, maxSessionTimeoutMs: 5_000 });

  it('stops the command while the server still keeps the lock for it', async () => {
    const proxy = await HoldingProxy.start(scene.server.port);
    whenTestEnds(() => proxy.close());
    const address = new URL(proxy.endpoint).host;
    const options = ['--server', address, '--kill-after', '0.5'];
    const program = scene.start('run', ...options, 'jobs', '-c', TELLS_TERM);
    expect(await program.nextLine()).to.equal('running');
    await proxy.hold('requests');
    expect((await program.exit).code).to.equal(76);
    expect(program.output).to.equal('running\nterm\n');
    expect(await scene.bystander.tryLock('jobs')).to.equal(null);
  });

  it('runs nothing when the time-out leaves no time to stop the command', async () => {
    const { code, errors } = await scene.run('run', '--kill-after', '5', 'jobs', '--', 'true');
    expect([code, errors]).to.deep.equal([
      64,
      'holdfast: --kill-after is 5; expected less, since the time-out of a session is 5 s here\n',
    ]);
  });
});

describe('holdfast run on a Unix socket', () => {
  const scene = sceneForEachTest();

  it('keeps the lock by an anchor there too', async () => {
    const path = join(makeFolder(), 'socket');
    const server = await startServerProgram('--unix', path);
    const program = scene.start('run', '--server', `unix:${path}`, 'jobs', '-c', GOES_ON);
    expect(await program.nextLine()).to.equal('running');
    const pid = childOf(program.pid);
    process.kill(program.pid, 'SIGKILL');
    const again = (): Promise<{ code: number | null }> =>
      scene.run('run', '-n', '--server', `unix:${path}`, 'jobs', '--', 'true');
    expect((await again()).code).to.equal(75);
    process.kill(pid, 'SIGKILL');
    expect((await scene.run('run', '--server', `unix:${path}`, 'jobs', '--', 'true')).code).to.equal(0);
    await server.program.kill();
  });
});

/** The command of a wrapper. */
function childOf(wrapper: number): number {
  const pid = Number(readFileSync(`/proc/${wrapper}/task/${wrapper}/children`, 'utf8').trim());
  whenTestEnds(() => killQuietly(pid));
  return pid;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The test has killed it.
  }
}

function isZombie(pid: number): boolean {
  return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
