import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { expect } from 'chai';
import type { Ledger } from '../../lib/ledger/ledger.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { errorOf } from '../support/rejection.ts';
import { fill, mountBreakable, mountMemory, needsMounts, remount } from './file-systems.ts';
import { CLOCK, idsAtStart, openLedger, RecordingReport, session } from './ledger-scene.ts';

const BLOCK_SIZE = 64;
const RESERVED = CLOCK * 1_000 + BLOCK_SIZE;
/** The log says it once for tokens and once for sessions. */
const CANNOT_WRITE = 'error: the state directory cannot be written: ';

describe('a state directory that fails', () => {
  let report: RecordingReport;

  beforeEach(() => {
    report = new RecordingReport();
  });
  afterEach(endTest);

  function open(directory: string): ReturnType<typeof openLedger> {
    return openLedger(directory, { report, blockSize: BLOCK_SIZE });
  }

  /** Takes tokens as long as there are any; returns the last. */
  function takeAll({ tokens }: Ledger): number {
    while (tokens.has(1)) tokens.next();
    return tokens.last;
  }

  it('is told when the disk is full at the start', async function () {
    needsMounts(this);
    const folder = mountMemory(65_536);
    fill(folder);
    const error = await errorOf(open(`${folder}/state`));
    expect(error).to.include({ code: 'unusable' }).and.property('message').includes('ENOSPC');
  });

  it('L1, L2, L3: gives no token past the reservation, takes no session and ends none while the disk is full', async function () {
    needsMounts(this);
    const folder = mountMemory(65_536);
    const ledger = await open(`${folder}/state`);
    await ledger.sessions.add(session('before'));
    const filler = fill(folder);
    const refilled = new Promise<void>((resolve) => ledger.tokens.onRefill(resolve));
    expect(takeAll(ledger)).to.equal(RESERVED);
    await until(() => report.told.length === 1);
    const refused = Array.from({ length: 100 }, (_, index) =>
      errorOf(Promise.resolve(ledger.sessions.add(big(index)))),
    );
    expect((await Promise.all(refused)).every(({ code }) => code === 'ENOSPC')).to.equal(true);
    let ended = false;
    const end = ledger.sessions.end('before')?.then(() => {
      ended = true;
    });
    await errorOf(Promise.resolve(ledger.sessions.add(session('refused'))));
    expect([takeAll(ledger), ended]).to.deep.equal([RESERVED, false]);
    expect(report.told).to.have.length(2);
    for (const line of report.told) expect(line).to.include(`${CANNOT_WRITE}ENOSPC`);
    rmSync(filler);
    await Promise.all([refilled, end, ledger.sessions.add(session('after'))]);
    expect(takeAll(ledger)).to.be.greaterThan(RESERVED);
    expect(report.told.slice(2)).to.deep.equal(Array(2).fill('info: the state directory can be written again'));
    await ledger.closeOnce();
    const next = await open(`${folder}/state`);
    expect(idsAtStart(next)).to.deep.equal(['after']);
    expect(next.tokens.begin).to.be.at.least(ledger.tokens.last);
    expect(report.failures).to.deep.equal([]);
  });

  it('is told when it can only be read at the start', async function () {
    needsMounts(this);
    const folder = mountMemory(65_536);
    await (await open(`${folder}/state`)).closeOnce();
    remount(folder, 'ro');
    for (const name of ['state', 'new']) {
      const error = await errorOf(open(`${folder}/${name}`));
      expect(error).to.include({ code: 'unusable' }).and.property('message').includes('EROFS');
    }
  });

  it('L1, L2: gives no token past the reservation and takes no session when it can only be read', async function () {
    needsMounts(this, 'chattr', 'mkfs.ext4');
    const directory = `${mountBreakable().folder}/state`;
    const ledger = await open(directory);
    await ledger.sessions.add(session('before'));
    makeImmutable(directory);
    expect(await errorOf(Promise.resolve(ledger.sessions.add(session('a'))))).to.include({ code: 'EPERM' });
    expect(takeAll(ledger)).to.equal(RESERVED);
    await until(() => report.told.length === 2);
    for (const line of report.told) expect(line).to.include(`${CANNOT_WRITE}EPERM`);
    expect(takeAll(ledger)).to.equal(RESERVED);
  });

  it('L1, L2: gives no token past the reservation and takes no session when it was deleted', async () => {
    const directory = `${makeFolder()}/state`;
    const ledger = await open(directory);
    rmSync(directory, { recursive: true });
    for (const id of ['a', 'b']) {
      const { message } = await errorOf(Promise.resolve(ledger.sessions.add(session(id))));
      expect(message).to.include(`${directory} or its lock was deleted, moved or replaced while the server ran`);
    }
    expect(takeAll(ledger)).to.equal(RESERVED);
    await until(() => report.told.length === 2);
    expect(takeAll(ledger)).to.equal(RESERVED);
  });

  it('L5: writes nothing into the directory of another server that has come in its place', async () => {
    const directory = `${makeFolder()}/state`;
    const ledger = await open(directory);
    await ledger.sessions.add(session('old'));
    renameSync(directory, `${directory}.old`);
    const other = await open(directory);
    await other.sessions.add(session('new'));
    const before = filesOf(directory);
    await errorOf(Promise.resolve(ledger.sessions.add(session('late'))));
    await errorOf(Promise.resolve(ledger.sessions.add(session('late'))));
    takeAll(ledger);
    await until(() => report.told.length === 2);
    expect(filesOf(directory)).to.deep.equal(before);
    expect(filesOf(directory).join()).to.include('"new"').and.to.not.include('"old"');
  });

  it('L2: writes a list anew that was deleted', async () => {
    const directory = `${makeFolder()}/state`;
    const ledger = await open(directory);
    await ledger.sessions.add(session('before'));
    rmSync(`${directory}/sessions`);
    const error = await errorOf(Promise.resolve(ledger.sessions.add(session('refused'))));
    expect(error.message).to.equal(`${directory}/sessions was deleted or replaced while the server ran`);
    await ledger.sessions.add(session('after'));
    await ledger.closeOnce();
    expect(idsAtStart(await open(directory))).to.deep.equal(['before', 'after']);
  });

  it('L1: reports a sync that failed, for the process to end, and gives no token past the reservation', async function () {
    needsMounts(this, 'mkfs.ext4');
    const { folder, breakDisk } = mountBreakable();
    const ledger = await open(`${folder}/state`);
    breakDisk();
    takeAll(ledger);
    await until(() => report.failures.length === 1);
    const problem = `${folder}/state/tokens.new: the disk did not confirm a write`;
    expect(report.failures[0]).to.include({ code: 'sync' }).and.property('message').includes(problem);
    expect(takeAll(ledger)).to.equal(RESERVED);
    expect(report.told).to.deep.equal([]);
  });

  it('L2, L3: takes no session and ends none whose record was not synced', async function () {
    needsMounts(this, 'mkfs.ext4');
    const { folder, breakDisk } = mountBreakable();
    const ledger = await open(`${folder}/state`);
    await ledger.sessions.add(session('before'));
    breakDisk();
    for (const index of [1, 2, 3]) {
      const { message } = await errorOf(Promise.resolve(ledger.sessions.add(big(index))));
      expect(message).to.match(/f(data)?sync/);
    }
    let ended = false;
    void ledger.sessions.end('before')?.then(() => {
      ended = true;
    });
    await errorOf(Promise.resolve(ledger.sessions.add(session('refused'))));
    expect(ended).to.equal(false);
    expect(report.failures).to.deep.equal([]);
  });
});

/** A session whose record needs room of its own. */
function big(index: number): ReturnType<typeof session> {
  return { ...session(`big ${index}`), secretHash: `${index}`.repeat(8_192) };
}

function makeImmutable(directory: string): void {
  const paths = [directory, `${directory}/sessions`];
  execFileSync('chattr', ['+i', ...paths]);
  whenTestEnds(() => execFileSync('chattr', ['-i', ...paths]));
}

function filesOf(directory: string): string[] {
  return readdirSync(directory).map((name) => `${name}: ${readFileSync(`${directory}/${name}`, 'utf8')}`);
}
