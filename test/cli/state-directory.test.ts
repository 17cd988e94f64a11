import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { readServerArguments } from '../../lib/cli/server.ts';
import { completeSettings } from '../../lib/cli/settings.ts';
import { explainStateError, openState } from '../../lib/cli/state.ts';
import { LedgerError } from '../../lib/ledger/ledger-error.ts';
import { fill, mountBreakable, mountMemory, needsMounts } from '../ledger/file-systems.ts';
import { openLedger, take } from '../ledger/ledger-scene.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import {
  expectNobody,
  expectStartFails,
  type ServerProgram,
  startProgram,
  startServerProgram,
} from '../server/running-program.ts';
import { resume } from '../sessions/session-scene.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { errorOf } from '../support/rejection.ts';

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
    const clock = `data:text/javascript,Date.now=()=>${Date.parse(date)}`;
    const program = startProgram('--import', clock, 'bin/server.js', '--port', 'auto', '--state', state);
    const port = Number(/ on \S+:(\d+), /.exec(await program.nextLine())?.[1]);
    return { kill: () => program.kill(), port };
  }

  it('L1: gives greater tokens after kill -9 and a restart with the clock set back', async () => {
    let last = 0;
    for (const date of ['2026-03-02', '1970-01-01']) {
      const { kill, port } = await startAt(date);
      const client = await RawClient.connect(port);
      const token = await client.take('jobs');
      expect(token).to.be.greaterThan(last);
      last = await client.take('other');
      await kill();
    }
  });

  it('comes from the settings or the command line, makes tokens durable, and keeps their lineage', async () => {
    const config = folder.writeSettings({ port: 'auto', stateDirectory: state });
    expect(readServerArguments(['--config', config, '--state', '']).stateDirectory).to.equal('');
    const lineages = new Set<unknown>();
    for (const args of [
      ['--config', config],
      ['--state', state],
    ]) {
      const { program, port } = await startServerProgram(...args);
      const hello = await (await RawClient.connect(port)).ask('hello', { protocol: 1 });
      expect(hello).to.include({ durable: true });
      lineages.add(hello.lineage);
      program.signal('SIGTERM');
      expect(await program.exit).to.include({ code: 0 });
      expect(program.errorOutput.split('\n')).to.have.length(2);
    }
    expect(lineages.size).to.equal(1);
  });

  it('L5, L4: does not start while another server has it or its list of sessions is damaged, unless that is forced', async () => {
    const { program } = await start();
    const { stateDirectory: code } = EXIT_CODES;
    expect(code).to.equal(5);
    const args = ['--port', 'auto', '--state', state];
    const taken = /^holdfast: \S+\/state\/lock: another server, process \d+ on \S+, uses this directory\n$/;
    await expectStartFails('bin/server.js', code, taken, ...args);
    await program.kill();
    writeFileSync(`${state}/sessions`, readFileSync(`${state}/sessions`, 'utf8').replace('sessions', 'session5'));
    const damaged =
      /^holdfast: \S+\/state\/sessions: line 1 is damaged; --state-force starts with what can be read.*\n$/;
    await expectStartFails('bin/server.js', code, damaged, ...args, '--pidfile', folder.at('pid'));
    expect(readdirSync(folder.path)).to.deep.equal(['state']);
    const forced = await start('--state-force');
    expect(await forced.program.nextErrorLine()).to.include('the start is forced');
  });

  it('cannot be where the server cannot write', async () => {
    writeFileSync(folder.at('file'), '');
    for (const [stateDirectory, why] of [
      [folder.at('file'), 'ENOTDIR'],
      [folder.at('missing/state'), 'ENOENT'],
    ] as const) {
      const settings = completeSettings({ stateDirectory }, 'the settings');
      const error = await errorOf(openState(settings, new RecordingLogger(), false));
      expect(error).to.be.instanceOf(LedgerError);
      expect(explainStateError(error as LedgerError)).to.match(
        new RegExp(`^the state directory cannot be used: ${why}.*$`),
      );
    }
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
    const { program, port } = await startServerProgram('--config', config);
    expectNobody(program);
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
    const { program, client } = await startWithHalfOfTheTokens(`${disk}/state`);
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
    const { program, client } = await startWithHalfOfTheTokens(`${disk}/state`);
    breakDisk();
    client.send({ command: 'lock', parameters: { lockName: 'next' }, id: 1 });
    expect(await program.exit).to.deep.equal({ code: EXIT_CODES.stateLost, signal: null });
    expect(EXIT_CODES.stateLost).to.equal(6);
    expect(program.errorOutput).to.match(/tokens\.new: the disk did not confirm a write/);
  });

  /** A server after another run on its directory, whose client has reclaimed a lock with a token past half of those reserved. */
  async function startWithHalfOfTheTokens(directory: string): Promise<ServerProgram & { client: RawClient }> {
    const key = { id: 'before', secret: 'secret', timeout: 20 };
    const before = await openLedger(directory, { nowMs: Date.now() });
    const secretHash = createHash('sha256').update(key.secret).digest('base64url');
    await before.sessions.add({ id: key.id, secretHash, timeoutMs: key.timeout * 1_000 });
    const first = take(before, 1);
    await before.closeOnce();
    const server = await startServerProgram('--state', directory);
    const client = await RawClient.connect(server.port);
    expect(await resume(client, { ...key, state: 'open' })).to.include({ state: 'reclaim' });
    const token = Math.max(first + TOKENS_RESERVED, Date.now() * 1_000) + TOKENS_RESERVED / 2 + SLACK_TOKENS;
    const holds = [{ lockName: 'jobs', token }];
    expect(await client.ask('reclaim', { holds, last: true })).to.deep.equal({ status: 'ok', lost: [] });
    return { ...server, client };
  }
});
