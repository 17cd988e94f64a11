import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { errorOf } from '../support/rejection.ts';
import { needsMounts } from './file-systems.ts';
import { idsAtStart, openLedger, session } from './ledger-scene.ts';

const PROGRAM = fileURLToPath(new URL('ledger-program.js', import.meta.url));
/** As in a container of its own: other processes, other mounts, another host name and network. */
const APART = ['--pid', '--mount', '--uts', '--ipc', '--net', '--fork', '--kill-child', '--mount-proc'];

describe('a state directory and several processes', () => {
  const folder = folderForEachTest();
  let directory: string;

  beforeEach(() => {
    directory = folder.at('state');
  });

  function start(...args: readonly string[]): SystemProgram {
    return new SystemProgram(process.execPath, [PROGRAM, directory, ...args]);
  }

  it('L5: has one server at a time', async () => {
    const first = start();
    expect(await first.nextLine()).to.equal('open');
    expect(await start().nextLine()).to.match(
      /^taken .*\/lock: another server, process \d+ on \S+, uses this directory$/,
    );
    const error = await errorOf(openLedger(directory));
    expect(error).to.include({ code: 'taken' }).and.property('message').includes(`process ${first.pid} on `);
  });

  it('L5: has one server at a time in one process, too', async () => {
    const ledger = await openLedger(directory);
    expect(await errorOf(openLedger(directory))).to.include({ code: 'taken' });
    await ledger.closeOnce();
    await openLedger(directory);
  });

  it('L5: refuses a server in another container', async function () {
    needsMounts(this, 'unshare');
    const first = new SystemProgram('unshare', [...APART, process.execPath, PROGRAM, directory]);
    expect(await first.nextLine()).to.equal('open');
    const second = new SystemProgram('unshare', [...APART, process.execPath, PROGRAM, directory]);
    expect(await second.nextLine()).to.match(/^taken /);
    expect(await errorOf(openLedger(directory))).to.include({ code: 'taken' });
    await first.kill();
    await openLedger(directory);
  });

  it('L5: keeps its place while it is stopped, and loses it when it is killed', async () => {
    const first = start();
    await first.nextLine();
    first.signal('SIGSTOP');
    expect(await errorOf(openLedger(directory))).to.include({ code: 'taken' });
    await first.kill();
    await openLedger(directory);
  });

  it('says so when there is no flock', async function () {
    needs(this, 'flock');
    const { PATH } = process.env;
    process.env.PATH = folder.path;
    try {
      const error = await errorOf(openLedger(directory));
      expect(error).to.include({ code: 'unusable' }).and.property('message').includes('flock, of util-linux');
    } finally {
      process.env.PATH = PATH;
    }
  });

  it('L1, L2: syncs a new file before it has its name, then the directory, and each line before it counts', async function () {
    needs(this, 'strace');
    const log = folder.at('calls');
    const calls = ['-f', '-y', '-e', 'trace=write,fsync,fdatasync,rename', '-o', log];
    const program = new SystemProgram('strace', [...calls, process.execPath, PROGRAM, directory, 'one'], {
      UV_USE_IO_URING: '0',
    });
    expect([await program.nextLine(), await program.nextLine()]).to.deep.equal(['open', 'added']);
    await program.kill();
    const replacing = (name: string): string[] => [
      `write ${name}.new`,
      `fsync ${name}.new`,
      `rename ${name}.new`,
      'fsync state',
    ];
    expect(callsIn(readFileSync(log, 'utf8'))).to.deep.equal([
      ...['write lock', ...replacing('sessions'), ...replacing('tokens'), 'says open'],
      ...['write sessions', 'fdatasync sessions', 'says added'],
    ]);
  });

  for (const [call, times] of [
    ['fsync', 4],
    ['rename', 2],
  ] as const) {
    it(`starts after a crash at each ${call} of a first start and of a later one`, async function () {
      needs(this, 'strace');
      for (let count = 1; count <= times; count += 1) {
        directory = folder.at(`state${count}`);
        await crashAt(call, count);
        const ledger = await openLedger(directory);
        const token = ledger.tokens.next();
        await ledger.sessions.add(session('a'));
        await ledger.closeOnce();
        await crashAt(call, count);
        const later = await openLedger(directory, { nowMs: 0 });
        expect([idsAtStart(later), later.lineage]).to.deep.equal([['a'], ledger.lineage]);
        expect(later.tokens.next()).to.be.greaterThan(token);
        await later.closeOnce();
      }
    });
  }

  /** Starts a process that is killed when it is about to make this system call for the nth time. */
  async function crashAt(call: string, nth: number): Promise<void> {
    const injected = ['-f', '-o', folder.at('calls'), '-e', `inject=${call}:signal=KILL:when=${nth}`];
    const program = new SystemProgram('strace', [...injected, process.execPath, PROGRAM, directory], {
      UV_USE_IO_URING: '0',
      // Counts are kept for each thread.
      UV_THREADPOOL_SIZE: '1',
    });
    expect(await program.exit).to.deep.equal({ code: null, signal: 'SIGKILL' });
    expect(program.output).to.equal('');
  }

  for (const [reached, rule] of [
    [1, 'L1: gives greater tokens after a crash at the beginning'],
    [
      700,
      'L1 and L2: knows all confirmed sessions after crashes in the middle of many appends, and gives greater tokens',
    ],
  ] as const) {
    it(rule, async () => {
      const confirmed: string[] = [];
      let lastToken = 0;
      for (let crash = 0; crash < 3; crash += 1) {
        const program = start('busy');
        expect(await program.nextLine()).to.equal('open');
        for (let count = 0; count < reached; count += 1) await program.nextLine();
        await program.kill();
        const lines = program.output.split('\n').slice(1, -1);
        expect(lines.length).to.be.at.least(reached);
        for (const line of lines) {
          const [id = '', token] = line.split(' ');
          confirmed.push(id);
          lastToken = Math.max(lastToken, Number(token));
        }
        const ledger = await openLedger(directory, { nowMs: 0 });
        expect(idsAtStart(ledger)).to.include.members(confirmed);
        expect(ledger.tokens.next()).to.be.greaterThan(lastToken);
        await ledger.closeOnce();
      }
    });
  }
});

/** The calls in a log of strace that are about the state directory, and what the program said, in short. */
function callsIn(log: string): string[] {
  return log.split('\n').flatMap((line) => {
    const [, said] = /write\(1<[^>]*>, "(\w+)\\n"/.exec(line) ?? [];
    if (said !== undefined) return [`says ${said}`];
    const [, call, path] = /(\w+)\((?:\d+<|")[^>"]*\/(state(?:\/[\w.]+)?)[>"]/.exec(line) ?? [];
    return call === undefined ? [] : [`${call} ${path?.replace('state/', '')}`];
  });
}
