import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { expect } from 'chai';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { headerLine, toLine } from '../../lib/ledger/records.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { errorOf } from '../support/rejection.ts';
import { CLOCK, idsAtStart, openLedger, RecordingReport, session, take } from './ledger-scene.ts';

const DAY_MS = 86_400_000;

describe('a ledger in memory', () => {
  it('has a lineage of its own, is not durable, and keeps nobody waiting', async () => {
    const [ledger, other] = [new MemoryLedger(5), new MemoryLedger(5)];
    expect(ledger.lineage)
      .to.match(/^[-0-9a-f]{36}$/)
      .and.to.not.equal(other.lineage);
    expect(ledger.isDurable).to.equal(false);
    expect([ledger.tokens.next(), ledger.tokens.has(1e9), ledger.tokens.next()]).to.deep.equal([6, true, 7]);
    expect(ledger.sessions.atStart).to.deep.equal([]);
    expect(ledger.sessions.add(session('a'))).to.equal(undefined);
    expect(ledger.sessions.end('a')).to.equal(undefined);
    expect(await ledger.savedStop.take()).to.equal(undefined);
    expect(await errorOf(ledger.savedStop.save({}))).to.be.an.instanceOf(Error);
  });
});

describe('a ledger in a directory', () => {
  const folder = folderForEachTest();
  let directory: string;

  beforeEach(() => {
    directory = folder.at('state');
  });

  it('reads the file that docs/operations.md shows', async () => {
    const [, example = ''] =
      /```\n(\{"holdfast":"sessions"[^`]*)```/.exec(readFileSync('docs/operations.md', 'utf8')) ?? [];
    mkdirSync(directory);
    const lineage = /"lineage":"([-\w]+)"/.exec(example)?.[1] ?? '';
    writeFileSync(`${directory}/sessions`, example);
    writeFileSync(`${directory}/tokens`, headerLine('tokens', lineage) + toLine({ reserved: 1, run: 'x' }));
    const { atStart } = (await openLedger(directory)).sessions;
    expect(atStart).to.deep.equal([{ id: '7f3a', secretHash: '9c1e', timeoutMs: 20_000 }]);
  });

  it('makes the directory, for its own user only', async () => {
    await openLedger(directory);
    expect(statSync(directory).mode & 0o777).to.equal(0o700);
    for (const name of readdirSync(directory)) expect(statSync(`${directory}/${name}`).mode & 0o777).to.equal(0o600);
  });

  it('keeps its lineage, and another directory has another', async () => {
    const first = await openLedger(directory);
    expect(first.isDurable).to.equal(true);
    await first.closeOnce();
    expect((await openLedger(directory)).lineage).to.equal(first.lineage);
    expect((await openLedger(folder.at('other'))).lineage).to.not.equal(first.lineage);
  });

  it('begins its tokens at the clock', async () => {
    const { tokens } = await openLedger(directory);
    expect([tokens.begin, tokens.next()]).to.deep.equal([CLOCK * 1_000, CLOCK * 1_000 + 1]);
  });

  it('L1: gives greater tokens after a restart, though the clock was set back', async () => {
    let last = 0;
    for (const nowMs of [CLOCK, CLOCK - DAY_MS, 0, CLOCK - 1]) {
      const ledger = await openLedger(directory, { nowMs });
      expect(take(ledger, 1)).to.be.greaterThan(last);
      last = take(ledger, 10_000);
      await ledger.closeOnce();
    }
    const later = await openLedger(directory, { nowMs: CLOCK + DAY_MS });
    expect(later.tokens.begin).to.equal((CLOCK + DAY_MS) * 1_000);
  });

  it('L1: gives greater tokens after a crash that came when blocks had been extended', async () => {
    const ledger = await openLedger(directory, { blockSize: 16 });
    const refilled = new Promise<void>((resolve) => ledger.tokens.onRefill(resolve));
    while (ledger.tokens.has(1)) ledger.tokens.next();
    await refilled;
    while (ledger.tokens.has(1)) ledger.tokens.next();
    const { last } = ledger.tokens;
    expect(last).to.be.at.least(CLOCK * 1_000 + 24);
    await ledger.closeOnce();
    expect((await openLedger(directory, { nowMs: 0 })).tokens.next()).to.be.greaterThan(last);
  });

  it('L1: gives greater tokens than one that was claimed', async () => {
    const ledger = await openLedger(directory);
    await ledger.tokens.raiseTo(CLOCK * 1_000 + 1e9);
    await ledger.closeOnce();
    expect((await openLedger(directory, { nowMs: 0 })).tokens.next()).to.be.greaterThan(CLOCK * 1_000 + 1e9);
  });

  it('does not begin where tokens could not grow', async () => {
    const error = await errorOf(openLedger(directory, { nowMs: Date.UTC(2255, 0) }));
    expect(error).to.be.an.instanceOf(RangeError).with.property('message').that.includes('the clock says 2255');
  });

  it('L4: lists the sessions that were added and have not ended, with their secrets and timeouts', async () => {
    const ledger = await openLedger(directory);
    expect(ledger.sessions.atStart).to.deep.equal([]);
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => ledger.sessions.add(session(id))));
    await Promise.all([ledger.sessions.end('b'), ledger.sessions.end('d')]);
    await ledger.closeOnce();
    expect((await openLedger(directory)).sessions.atStart).to.deep.equal([session('a'), session('c')]);
  });

  it('L4: keeps sessions that have not returned on the list, over any number of starts', async () => {
    const first = await openLedger(directory);
    await first.sessions.add(session('a'));
    await first.closeOnce();
    for (let start = 0; start < 3; start += 1) {
      const ledger = await openLedger(directory);
      expect(idsAtStart(ledger)).to.deep.equal(['a']);
      await ledger.closeOnce();
    }
    const last = await openLedger(directory);
    await last.sessions.end('a');
    await last.closeOnce();
    expect(idsAtStart(await openLedger(directory))).to.deep.equal([]);
  });

  it('has nothing to record at the end of a session that was not added', async () => {
    const { sessions } = await openLedger(directory);
    expect(sessions.end('a')).to.equal(undefined);
    await sessions.add(session('a'));
    await sessions.end('a');
    expect(sessions.end('a')).to.equal(undefined);
  });

  it('L2: records many sessions with few writes', async () => {
    const { sessions } = await openLedger(directory);
    const ids = Array.from({ length: 3_000 }, (_, index) => `s${index}`);
    await Promise.all(ids.map((id) => sessions.add(session(id))));
    expect(linesOf('sessions').length).to.be.within(5, 10);
  });

  it('does not list sessions that end while they are recorded', async () => {
    const ledger = await openLedger(directory);
    const ids = Array.from({ length: 3_000 }, (_, index) => `s${index}`);
    const added = ids.map((id) => ledger.sessions.add(session(id)));
    const ended = ids.filter((_, index) => index % 2 === 1).map((id) => ledger.sessions.end(id));
    await Promise.all([...added, ...ended]);
    await ledger.closeOnce();
    const left = ids.filter((_, index) => index % 2 === 0);
    expect(idsAtStart(await openLedger(directory))).to.have.members(left);
  });

  it('L4: writes the list anew when most of it is over, and keeps what is not', async () => {
    const before = await openLedger(directory);
    await before.sessions.add(session('missing'));
    await before.closeOnce();
    const ledger = await openLedger(directory);
    await ledger.sessions.add(session('here'));
    const isNew = sizesOf(() => statSync(`${directory}/sessions`).size);
    for (let round = 0; round < 8; round += 1) {
      const ids = Array.from({ length: 500 }, (_, index) => `${round}-${index}`);
      await Promise.all(ids.map((id) => ledger.sessions.add(session(id))));
      await Promise.all(ids.map((id) => ledger.sessions.end(id)));
      isNew.look();
    }
    expect(isNew.hasShrunk).to.equal(true);
    await ledger.closeOnce();
    expect(idsAtStart(await openLedger(directory))).to.deep.equal(['missing', 'here']);
  });

  it('L3: tells the next runs what a session has lost, until it ends', async () => {
    const before = await openLedger(directory);
    await before.sessions.add(session('a'));
    await before.sessions.add(session('b'));
    await Promise.all([1, 2].map((token) => before.sessions.lose('a', { token, reason: 'stolen' })));
    expect(before.sessions.lose('unknown', { token: 3, reason: 'forced' })).to.equal(undefined);
    await before.closeOnce();
    const losses = [
      { token: 1, reason: 'stolen' },
      { token: 2, reason: 'stolen' },
    ];
    for (let start = 0; start < 2; start += 1) {
      const ledger = await openLedger(directory);
      expect(ledger.sessions.atStart).to.deep.equal([{ ...session('a'), losses }, session('b')]);
      await ledger.closeOnce();
    }
    const last = await openLedger(directory);
    await last.sessions.end('a');
    await last.closeOnce();
    expect((await openLedger(directory)).sessions.atStart).to.deep.equal([session('b')]);
  });

  it('L3: forgets a loss when the time-out of its session is over, and the list is written anew', async () => {
    const before = await openLedger(directory);
    await before.sessions.add({ ...session('short'), timeoutMs: 0 });
    await before.sessions.add(session('long'));
    for (const id of ['short', 'long']) await before.sessions.lose(id, { token: 1, reason: 'forced' });
    await before.closeOnce();
    // A start gives each loss its time once more, since nobody knows how long the server was down.
    await (await openLedger(directory)).closeOnce();
    const { atStart } = (await openLedger(directory)).sessions;
    expect(atStart.map(({ id, losses = [] }) => [id, losses.length])).to.deep.equal([
      ['short', 0],
      ['long', 1],
    ]);
  });

  describe('after damage', () => {
    let report: RecordingReport;
    let lineage: string;

    beforeEach(async () => {
      report = new RecordingReport();
      const ledger = await openLedger(directory);
      lineage = ledger.lineage;
      await ledger.sessions.add(session('a'));
      await ledger.sessions.add(session('b'));
      await ledger.closeOnce();
    });

    it('leaves out a last line that was not written whole, and says so', async () => {
      const whole = toLine({ added: [session('c')], ended: [] });
      for (const torn of [
        whole.slice(0, 20),
        whole.slice(0, -1),
        `${whole.slice(0, 40)}\0\0\0\n`,
        '\0'.repeat(5_000),
      ]) {
        appendFileSync(`${directory}/sessions`, torn);
        const ledger = await openLedger(directory, { report });
        expect(idsAtStart(ledger)).to.deep.equal(['a', 'b']);
        await ledger.closeOnce();
      }
      const line = `warn: ${directory}/sessions: the last line was not written whole and is left out`;
      expect(report.told).to.deep.equal([line, line, line, line]);
    });

    it('leaves the last line out when the file was cut short', async () => {
      truncateSync(`${directory}/sessions`, statSync(`${directory}/sessions`).size - 7);
      expect(idsAtStart(await openLedger(directory, { report }))).to.deep.equal(['a']);
      expect(report.told).to.have.length(1);
    });

    it('L4: does not start when a line before the last is damaged, and names file and line', async () => {
      damage('sessions', 3);
      const error = await errorOf(openLedger(directory));
      expect(error).to.include({ code: 'unreadable', message: `${directory}/sessions: line 3 is damaged` });
      expect(idsAtStart(await openLedger(directory, { isForced: true, report }))).to.deep.equal(['b']);
      expect(report.told).to.deep.equal([
        `warn: ${directory}/sessions: 1 damaged lines are left out, since the start is forced; a copy is kept`,
      ]);
      expect(readdirSync(directory)).to.include('sessions.damaged');
    });

    it('L4: does not start when the list is damaged that it was made with, though it is the last line', async () => {
      await (await openLedger(directory)).closeOnce();
      expect(linesOf('sessions')).to.have.length(3);
      const { size } = statSync(`${directory}/sessions`);
      damage('sessions', 2);
      const message = `${directory}/sessions: line 2 is damaged`;
      expect(await errorOf(openLedger(directory))).to.include({ code: 'unreadable', message });
      for (const cut of [size - 1, size - 20, (linesOf('sessions')[0] as string).length + 1]) {
        truncateSync(`${directory}/sessions`, cut);
        expect(await errorOf(openLedger(directory))).to.include({ code: 'unreadable', message });
      }
      const forced = await openLedger(directory, { isForced: true, report });
      expect([idsAtStart(forced), forced.lineage]).to.deep.equal([[], lineage]);
      expect(report.told).to.have.length(1);
    });

    for (const name of ['tokens', 'sessions']) {
      it(`does not start when the file of ${name} is empty, missing, of another kind or of a later version`, async () => {
        const path = `${directory}/${name}`;
        const [text, kind] = [readFileSync(path, 'utf8'), `expected "${name}", version 1`];
        const header = { holdfast: name, version: 2, lineage: 'x' };
        for (const [content, problem] of [
          ['', 'line 1 is damaged'],
          ['{"reserved":1}\n', 'line 1 is damaged'],
          [toLine(header), `line 1 says "${name}", version 2; ${kind}`],
          [toLine({ ...header, holdfast: 'other', version: 1 }), `line 1 says "other", version 1; ${kind}`],
        ] as const) {
          writeFileSync(path, content);
          const error = await errorOf(openLedger(directory));
          expect(error).to.include({ code: 'unreadable', message: `${path}: ${problem}` });
        }
        rmSync(path);
        const missing = `${path} is missing, but other files of the directory are there`;
        expect(await errorOf(openLedger(directory))).to.include({ code: 'unreadable', message: missing });
        writeFileSync(path, text);
        expect(idsAtStart(await openLedger(directory))).to.deep.equal(['a', 'b']);
      });
    }

    it('does not start when the file of tokens tells none', async () => {
      const [header = ''] = linesOf('tokens');
      writeFileSync(`${directory}/tokens`, `${header}\n${toLine({ reserved: '7' })}`);
      const message = `${directory}/tokens: line 2 does not tell the reserved tokens`;
      expect(await errorOf(openLedger(directory))).to.include({ code: 'unreadable', message });
    });

    it('does not start with files of two servers', async () => {
      const other = await openLedger(folder.at('other'));
      await other.closeOnce();
      writeFileSync(`${directory}/sessions`, readFileSync(folder.at('other/sessions')));
      const error = await errorOf(openLedger(directory));
      expect(error).to.include({ code: 'unreadable' }).and.property('message').includes(other.lineage);
    });

    it('begins another lineage without sessions when the start is forced, and keeps the files', async () => {
      damage('tokens', 2);
      expect(await errorOf(openLedger(directory))).to.include({ code: 'unreadable' });
      const ledger = await openLedger(directory, { isForced: true, report });
      expect(idsAtStart(ledger)).to.deep.equal([]);
      expect(ledger.lineage).to.not.equal(lineage);
      expect(report.told[0]).to.include(`${directory}/tokens: line 2`).and.to.include('the start is forced');
      expect(readdirSync(directory)).to.include.members(['tokens.damaged', 'sessions.damaged']);
    });

    it('L1: goes on with the tokens when the start is forced since the list of sessions is of no use', async () => {
      const ledger = await openLedger(directory);
      const last = take(ledger, 10);
      await ledger.closeOnce();
      const path = `${directory}/sessions`;
      for (const spoil of [() => damage('sessions', 1), () => rmSync(path), () => writeFileSync(path, toLine({}))]) {
        spoil();
        expect(await errorOf(openLedger(directory))).to.include({ code: 'unreadable' });
        const forced = await openLedger(directory, { isForced: true, nowMs: CLOCK - DAY_MS, report });
        expect([forced.lineage, idsAtStart(forced)]).to.deep.equal([lineage, []]);
        expect(forced.tokens.begin).to.be.above(last);
        await forced.closeOnce();
      }
    });

    it('L1: begins another lineage, and says so, when the file of tokens is missing and no session is listed', async () => {
      const fresh = folder.at('fresh');
      const first = await openLedger(fresh);
      const last = take(first, 10);
      await first.closeOnce();
      rmSync(`${fresh}/tokens`);
      const second = await openLedger(fresh, { nowMs: CLOCK - DAY_MS, report });
      expect(second.tokens.begin).to.be.below(last);
      expect(second.lineage).not.to.equal(first.lineage);
      expect(report.told).to.deep.equal([`warn: ${fresh}/tokens is missing; another lineage of tokens begins`]);
      await second.sessions.add(session('new'));
      await second.closeOnce();
      const third = await openLedger(fresh);
      expect([third.lineage, idsAtStart(third)]).to.deep.equal([second.lineage, ['new']]);
    });
  });

  describe('at a planned stop', () => {
    const STATE = { locks: [{ name: 'jobs \udc80', token: 2 ** 52 }] };

    it('saves a state that the next run takes once', async () => {
      await saveStop();
      const second = await openLedger(directory);
      expect(await second.savedStop.take()).to.deep.equal(STATE);
      expect(await second.savedStop.take()).to.equal(undefined);
      await second.closeOnce();
      expect(await (await openLedger(directory)).savedStop.take()).to.equal(undefined);
    });

    it('passes over a state that a run in between has not taken', async () => {
      await saveStop();
      await (await openLedger(directory)).closeOnce();
      const third = await openLedger(directory);
      expect(await third.savedStop.take()).to.equal(undefined);
      expect(readdirSync(directory)).to.not.include('stop');
    });

    it('replaces a state that was saved before', async () => {
      const ledger = await openLedger(directory);
      await ledger.savedStop.save({ first: true });
      await ledger.savedStop.save(STATE);
      await ledger.closeOnce();
      expect(await (await openLedger(directory)).savedStop.take()).to.deep.equal(STATE);
    });

    it('puts a damaged state aside', async () => {
      await saveStop();
      damage('stop', 2);
      const ledger = await openLedger(directory);
      const message = `${directory}/stop: line 2 is damaged`;
      expect(await errorOf(ledger.savedStop.take())).to.include({ code: 'unreadable', message });
      expect(readdirSync(directory)).to.include('stop.damaged').and.to.not.include('stop');
      expect(await ledger.savedStop.take()).to.equal(undefined);
    });

    it('refuses a state that is too large', async () => {
      const { savedStop } = await openLedger(directory);
      const error = await errorOf(savedStop.save('x'.repeat(2 ** 28)));
      expect(error).to.include({ code: 'unusable' }).and.property('message').includes('268435456');
      expect(await savedStop.take()).to.equal(undefined);
    }).timeout(60_000);

    async function saveStop(): Promise<void> {
      const first = await openLedger(directory);
      await first.savedStop.save(STATE);
      await first.closeOnce();
    }
  });

  function linesOf(name: string): string[] {
    return readFileSync(`${directory}/${name}`, 'utf8').split('\n');
  }

  /** Changes one character of a line; the first is 1. */
  function damage(name: string, line: number): void {
    const lines = linesOf(name);
    lines[line - 1] = (lines[line - 1] as string).replace(/[0-9a-f](?="\}$)/, (digit) => (digit === '0' ? '1' : '0'));
    writeFileSync(`${directory}/${name}`, lines.join('\n'));
  }
});

/** Looks at a size now and then, and remembers whether it was ever smaller than before. */
function sizesOf(size: () => number): { look(): void; readonly hasShrunk: boolean } {
  let [last, hasShrunk] = [size(), false];
  return {
    look: () => {
      const now = size();
      hasShrunk ||= now < last;
      last = now;
    },
    get hasShrunk() {
      return hasShrunk;
    },
  };
}
