import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readEarlier } from '../../lib/history/earlier-records.ts';
import { HistoryFiles, type HistoryFilesOptions } from '../../lib/history/history-files.ts';
import { LockHistory } from '../../lib/history/lock-history.ts';
import type { HistoryRecord } from '../../lib/protocol.ts';
import { fill, mountMemory, needsMounts } from '../ledger/file-systems.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

describe('the files of the history', () => {
  let directory: string;
  let log: RecordingLogger;

  beforeEach(() => {
    directory = join(makeFolder(), 'history');
    log = new RecordingLogger();
  });
  afterEach(endTest);

  function open(options: Partial<HistoryFilesOptions> = {}): HistoryFiles {
    const files = new HistoryFiles({ directory, maxFileBytes: 1_000_000, maxFiles: 3, logger: log, ...options });
    whenTestEnds(() => files.close());
    return files;
  }

  function recordOf(lockName: string): HistoryRecord {
    return { kind: 'hold', reason: 'released', lockName, name: '', address: '', sinceMs: 1, untilMs: 2 };
  }

  /** What this process has open. */
  function openFiles(): readonly string[] {
    return readdirSync('/proc/self/fd').flatMap((descriptor) => {
      try {
        return [readlinkSync(`/proc/self/fd/${descriptor}`)];
      } catch {
        // It was that of the listing itself.
        return [];
      }
    });
  }

  function namesIn(file: string): readonly string[] {
    const lines = readFileSync(join(directory, file), 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line).lockName);
  }

  it('have each record as one line, in order, also when there are more than fit in one write', async () => {
    const files = open();
    const names = Array.from({ length: 450 }, (_, index) => `lock ${index}`);
    for (const name of names) files.add(recordOf(name));
    await files.close();
    expect(namesIn('history-000001.jsonl')).to.deep.equal(names);
    expect(
      JSON.parse(readFileSync(join(directory, 'history-000001.jsonl'), 'utf8').split('\n')[0] ?? ''),
    ).to.deep.equal(recordOf('lock 0'));
    expect(statSync(join(directory, 'history-000001.jsonl')).mode & 0o777).to.equal(0o600);
  });

  it('are written without being closed', async () => {
    open().add(recordOf('a'));
    await until(() => readdirSync(directory).length === 1 && namesIn('history-000001.jsonl').length === 1);
  });

  it('follow each other by size, and the oldest are deleted; other files are left alone', async () => {
    for (let run = 0; run < 6; run += 1) {
      const files = open({ maxFileBytes: 200 });
      for (let index = 0; index < 2; index += 1) files.add(recordOf(`${run}.${index}`));
      await files.close();
      if (run === 0) writeFileSync(join(directory, 'notes.txt'), 'mine');
    }
    const last = open({ maxFileBytes: 200 });
    last.add(recordOf('last'));
    await last.close();
    const found = readdirSync(directory).sort();
    expect(found).to.deep.equal(['history-000005.jsonl', 'history-000006.jsonl', 'history-000007.jsonl', 'notes.txt']);
    expect(namesIn('history-000006.jsonl')).to.deep.equal(['5.0', '5.1']);
    expect(namesIn('history-000007.jsonl')).to.deep.equal(['last']);
  });

  it('that cannot be written cost records, which are counted and told of once, until they can', async () => {
    const files = open();
    files.add(recordOf('a'));
    await until(() => readdirSync(directory).length === 1 && namesIn('history-000001.jsonl').length === 1);
    await files.close();
    renameSync(directory, `${directory}.moved`);
    files.add(recordOf('b'));
    await files.close();
    files.add(recordOf('c'));
    await files.close();
    expect(log.at('warn').map(({ message }) => message)).to.deep.equal([
      'the history cannot be written to its directory; records are lost until it can',
    ]);
    mkdirSync(directory);
    files.add(recordOf('d'));
    await files.close();
    expect(
      log
        .at('warn')
        .map(({ message }) => message)
        .slice(1),
    ).to.deep.equal(['the history is written again; 2 records were lost']);
    expect(namesIn('history-000001.jsonl')).to.deep.equal(['d']);
    rmSync(`${directory}.moved`, { recursive: true });
  });

  it('on a full disk keep no lock waiting, and go on with whole lines once there is room', async function () {
    needsMounts(this);
    const disk = mountMemory(65_536);
    directory = join(disk, 'history');
    const files = open();
    const history = new LockHistory({ everything: true, keeper: files });
    const server = await startServer({}, undefined, { observers: [history], history });
    const client = await server.connect();
    files.add(recordOf('before'));
    await files.close();
    const filler = fill(disk);
    for (let index = 0; index < 40; index += 1) {
      await client.take(`${index}`.padEnd(5_000, '.'));
      await client.ask('unlockAll');
    }
    await files.close();
    expect(log.at('warn').map(({ details }) => String(details.why))).to.deep.equal([
      'ENOSPC: no space left on device, write',
    ]);
    rmSync(filler);
    files.add(recordOf('after'));
    await files.close();
    expect(log.at('warn').map(({ details }) => details.lost)).to.deep.equal([undefined, 40]);
    const names: (string | undefined)[] = [];
    await readEarlier(open().earlierFiles, ({ lockName = '' }) => names.push(lockName.replaceAll('.', '')) > 0);
    expect([names[0], names.at(-1)]).to.deep.equal(['after', 'before']);
    expect((await client.ask('history')).records).to.have.lengthOf(40);
  });

  it('are not left open when the disk has no room to end a torn line', async function () {
    needsMounts(this);
    const disk = mountMemory(65_536);
    directory = join(disk, 'history');
    mkdirSync(directory);
    const file = join(directory, 'history-000001.jsonl');
    // It takes whole pages, so that one more byte needs one more page.
    writeFileSync(file, ''.padEnd(8_192, '.'));
    const files = open();
    fill(disk);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      files.add(recordOf('lost'));
      await files.close();
    }
    expect(log.at('warn').map(({ details }) => String(details.why))).to.deep.equal([
      'ENOSPC: no space left on device, write',
    ]);
    expect(openFiles().filter((path) => path === file)).to.deep.equal([]);
  });

  it('keep no more in memory for a slow disk than is set', async () => {
    const files = open({ maxPendingBytes: 1_000 });
    for (let index = 0; index < 10; index += 1) files.add(recordOf(`${index}`));
    await files.close();
    expect(namesIn('history-000001.jsonl')).to.deep.equal(['0', '1', '2']);
    expect(log.at('warn').map(({ details }) => details.why ?? details.lost)).to.deep.equal(['the disk is too slow', 7]);
  });

  it('are read back, the last record first, without torn lines and without those of this run', async () => {
    const before = open({ maxFileBytes: 200 });
    for (let index = 0; index < 2; index += 1) before.add(recordOf(`${index}`));
    await before.close();
    before.add(recordOf('2'));
    await before.close();
    appendFileSync(join(directory, 'history-000002.jsonl'), '{"kind":"hold"}\n{"kind":"ho');
    const files = open();
    files.add(recordOf('of this run'));
    await files.close();
    const names: (string | undefined)[] = [];
    await readEarlier(files.earlierFiles, ({ lockName }) => names.push(lockName) > 0);
    expect(names).to.deep.equal(['2', '1', '0']);
    names.length = 0;
    await readEarlier(files.earlierFiles, ({ lockName }) => names.push(lockName) < 2);
    expect(names).to.deep.equal(['2', '1']);
    names.length = 0;
    await readEarlier(open().earlierFiles, ({ lockName }) => names.push(lockName) > 0);
    expect(names[0]).to.equal('of this run');
  });

  it('are read back without lines in which a member has another type', async () => {
    const odd = [
      ...['kind', 'reason', 'lockName', 'mode', 'owner', 'name', 'address', 'session', 'killed'],
      ...['token', 'sinceMs', 'untilMs', 'waitedMs', 'count', 'otherLocks'],
    ].flatMap((member) => [null, true, [5]].map((value) => ({ ...recordOf(`odd ${member}`), [member]: value })));
    mkdirSync(directory);
    const whole = {
      ...recordOf('whole'),
      otherLocks: ['a'],
      mode: 'shared',
      owner: '',
      token: 1,
      waitedMs: 0,
      count: 1,
    };
    const lines = [whole, null, 5, 'text', [], ...odd, { ...recordOf('odd lockName'), lockName: 5 }];
    writeFileSync(join(directory, 'history-000001.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const history = new LockHistory();
    const records: HistoryRecord[] = [];
    await readEarlier(open().earlierFiles, (record) => history.addEarlier(record) && records.push(record) > 0);
    expect(records).to.deep.equal([whole]);
  });

  it('are refused with the reason when there can be no such directory', () => {
    writeFileSync(directory, '');
    expect(() => open()).to.throw(directory);
  });
});
