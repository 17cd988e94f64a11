import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { fill, mountBreakable, mountMemory, needsMounts } from '../ledger/file-systems.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { expectStartFails, type ServerProgram, startProgram, startServerProgram } from '../server/running-program.ts';
import { open, resume } from '../sessions/session-scene.ts';

const NOBODY = 65_534;
/** So many tokens a server reserves ahead, one for each microsecond at first. */
const TOKENS_RESERVED = 2 ** 22;
const SLACK_TOKENS = 500_000;

describe('a server program with a state directory', () => {
  const folder = folderForEachTest();
  let state: string;

  beforeEach(() => {
    state = folder.at('state');
  });

  function start(...args: readonly string[]): Promise<ServerProgram> {
    return startServerProgram('--state', state, ...args);
  }

  /** With a clock that says another time. */
  async function startAt(date: string): Promise<{ readonly kill: () => Promise<void>; readonly port: number }> {
    const clock = ['--import', `data:text/javascript,Date.now=()=>${Date.parse(date)}`];
    const program = startProgram(
      clock[0] as string,
      ...clock.slice(1),
      'bin/server.js',
      '--port',
      'auto',
      '--state',
      state,
    );
    const port = Number(/ on \S+:(\d+), /.exec(await program.nextLine())?.[1]);
    return { kill: () => program.kill(), port };
  }

  it('L1: gives greater tokens after kill -9 and a restart with the clock set back a day', async () => {
    let last = 0;
    for (const date of ['2026-03-02', '2026-03-01', '1970-01-01']) {
      const { kill, port } = await startAt(date);
      const client = await RawClient.connect(port);
      const token = await client.take('jobs');
      expect(token).to.be.greaterThan(last);
      last = await client.take('other');
      await kill();
    }
  });

  it('tells its clients that its tokens are durable, and keeps their lineage', async () => {
    const lineages = new Set<unknown>();
    for (let run = 0; run < 2; run += 1) {
      const { program, port } = await start();
      const hello = await (await RawClient.connect(port)).ask('hello', { protocol: 1 });
      expect(hello).to.include({ durable: true });
      lineages.add(hello.lineage);
      program.signal('SIGTERM');
      expect(await program.exit).to.include({ code: 0 });
      expect(program.errorOutput.split('\n')).to.have.length(2);
    }
    expect(lineages.size).to.equal(1);
  });

  it('L5: does not start while another server has the directory, and takes over from one that was killed', async () => {
    const { program } = await start();
    const complaint = /^holdfast: \S+\/state\/lock: another server, process \d+ on \S+, uses this directory\n$/;
    await expectStartFails('bin/server.js', EXIT_CODES.stateDirectory, complaint, '--port', 'auto', '--state', state);
    expect(EXIT_CODES.stateDirectory).to.equal(5);
    await program.kill();
    await start();
  });

  it('L4: does not start with a damaged list of sessions unless that is forced', async () => {
    const { program } = await start();
    await program.kill();
    writeFileSync(`${state}/sessions`, readFileSync(`${state}/sessions`, 'utf8').replace('sessions', 'session5'));
    const complaint =
      /^holdfast: \S+\/state\/sessions: line 1 is damaged; --state-force starts with what can be read.*\n$/;
    const pidfile = ['--pidfile', folder.at('pid')];
    await expectStartFails('bin/server.js', 5, complaint, '--port', 'auto', '--state', state, ...pidfile);
    expect(readdirSync(folder.path)).to.deep.equal(['state']);
    const forced = await start('--state-force');
    expect(await forced.program.nextErrorLine()).to.include('the start is forced');
  });

  it('does not start where it cannot write', async () => {
    writeFileSync(state, '');
    const complaint = /^holdfast: the state directory cannot be used: ENOTDIR.*\n$/;
    await expectStartFails('bin/server.js', 5, complaint, '--port', 'auto', '--state', state);
    const missing = `${folder.path}/missing/state`;
    const noFolder = /^holdfast: the state directory cannot be used: ENOENT.*\n$/;
    await expectStartFails('bin/server.js', 5, noFolder, '--port', 'auto', '--state', missing);
  });

  it('comes from the settings, and an empty path on the command line switches it off', async () => {
    const config = folder.writeSettings({ port: 'auto', stateDirectory: state });
    const hello = async (...args: readonly string[]): Promise<object> => {
      const { port } = await startServerProgram('--config', config, ...args);
      return await (await RawClient.connect(port)).ask('hello', { protocol: 1 });
    };
    expect(await hello()).to.include({ durable: true });
    expect(await hello('--state', '')).to.include({ durable: false });
  });

  it('belongs to the user that the server becomes', async function () {
    if (process.getuid?.() !== 0) {
      console.log('      skipped: only root can become another user');
      this.skip();
    }
    chmodSync(folder.path, 0o755);
    const account = { port: 'auto', user: `${NOBODY}`, group: `${NOBODY}` };
    const config = folder.writeSettings({ ...account, stateDirectory: state });
    const complaint = /^holdfast: the state directory cannot be used: EACCES.*\n$/;
    await expectStartFails('bin/server.js', 5, complaint, '--config', config);
    mkdirSync(state);
    chownSync(state, NOBODY, NOBODY);
    const { port } = await startServerProgram('--config', config);
    expect(await (await RawClient.connect(port)).take('jobs')).to.be.greaterThan(0);
    for (const name of ['lock', 'sessions', 'tokens']) {
      expect(statSync(`${state}/${name}`)).to.include({ uid: NOBODY, gid: NOBODY });
    }
    const wrong = folder.writeSettings({ ...account, user: 'no such user', stateDirectory: state });
    const unknown = /^holdfast: settings\.user is "no such user": .*\n$/;
    await expectStartFails('bin/server.js', EXIT_CODES.usage, unknown, '--config', wrong);
  });

  it('logs that the disk is full, goes on with the tokens that it has, and logs when there is room again', async function () {
    needsMounts(this);
    const disk = mountMemory(131_072);
    const { program, client } = await startWithHalfOfTheTokens('--state', `${disk}/state`);
    const filler = fill(disk);
    await client.take('next');
    const full: unknown = JSON.parse(await program.nextErrorLine());
    expect(full)
      .to.include({ level: 50 })
      .and.property('msg')
      .includes('the state directory cannot be written: ENOSPC');
    await client.take('after');
    rmSync(filler);
    const again: unknown = JSON.parse(await program.nextErrorLine());
    expect(again).to.include({ level: 30, msg: 'the state directory can be written again' });
  });

  it('L1: ends with a code of its own when the disk does not confirm a write', async function () {
    needsMounts(this, 'mkfs.ext4');
    const { folder: disk, breakDisk } = mountBreakable();
    const { program, client } = await startWithHalfOfTheTokens('--state', `${disk}/state`);
    breakDisk();
    client.send({ command: 'lock', parameters: { lockName: 'next' }, id: 1 });
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.stateLost, signal: null });
    expect(EXIT_CODES.stateLost).to.equal(6);
    expect(program.errorOutput).to.match(/tokens\.new: the disk did not confirm a write/);
  });

  /** A server that was killed and started again, and whose client has reclaimed a lock with a token past half of those reserved. */
  async function startWithHalfOfTheTokens(...args: readonly string[]): Promise<ServerProgram & { client: RawClient }> {
    const before = await startServerProgram(...args);
    const holder = await RawClient.connect(before.port);
    const session = await open(holder);
    const first = await holder.take('jobs');
    await before.program.kill();
    const server = await startServerProgram(...args);
    const client = await RawClient.connect(server.port);
    expect(await resume(client, session)).to.include({ state: 'reclaim' });
    const token = Math.max(first + TOKENS_RESERVED, Date.now() * 1_000) + TOKENS_RESERVED / 2 + SLACK_TOKENS;
    const holds = [{ lockName: 'jobs', token }];
    expect(await client.ask('reclaim', { holds, last: true })).to.deep.equal({ status: 'ok', lost: [] });
    return { ...server, client };
  }
});
