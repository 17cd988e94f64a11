import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { tokenAt } from '../../lib/ledger/clock-tokens.ts';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { checkClock } from '../../lib/server/tokens.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { endTest, makeFolder } from './clean-up.ts';
import { RawClient } from './raw-client.ts';
import { startProgram } from './running-program.ts';

describe('tokens', () => {
  let logger: RecordingLogger;

  beforeEach(() => {
    logger = new RecordingLogger();
  });

  it('begin at the microseconds since 1970 and grow by one, without a word about a clock that may be right', () => {
    for (const [text, first] of [
      ['2025-01-01', 1_735_689_600_000_001],
      ['2049-12-31', 2_524_521_600_000_001],
    ] as const) {
      checkClock(logger, Date.parse(text));
      const { tokens } = new MemoryLedger(tokenAt(Date.parse(text)));
      expect([tokens.next(), tokens.next(), tokens.next()]).to.deep.equal([first, first + 1, first + 2]);
    }
    expect(logger.entries).to.deep.equal([]);
  });

  it('grow also from 1970 and from the last time that is possible, and are safe integers', () => {
    for (const nowMs of [0, 1, Date.parse('2223-09-25')]) {
      checkClock(logger, nowMs);
      const { tokens } = new MemoryLedger(tokenAt(nowMs));
      let last = nowMs * 1_000;
      for (let count = 0; count < 1_000; count += 1) {
        const token = tokens.next();
        expect(token).to.be.greaterThan(last);
        expect(token + 1e14).to.satisfy(Number.isSafeInteger);
        last = token;
      }
    }
  });

  it('warn of a clock that was set back', () => {
    checkClock(logger, Date.parse('1970-01-01T00:00:07.123Z'));
    expect(logger.entries).to.deep.equal([
      {
        level: 'warn',
        details: { clock: '1970-01-01T00:00:07.123Z' },
        message:
          'the clock says 1970-01-01T00:00:07.123Z, where tokens begin: they are smaller than those that were given while ' +
          'it was right; set it and start again',
      },
    ]);
  });

  it('warn of a clock that is far in the future', () => {
    checkClock(logger, Date.parse('2087-01-01'));
    expect(logger.shown).to.deep.equal([
      'the clock says 2087-01-01T00:00:00.000Z, where tokens begin: once it is right, a further start gives smaller ones; ' +
        'set it and start again',
    ]);
  });

  it('cannot begin before 1970, nor near 2^53 microseconds, where they would stand still', () => {
    for (const text of ['1969-12-31', '2224-01-01', '2255-06-05', '+275760-09-13']) {
      const clock = new Date(text).toISOString();
      expect(() => checkClock(logger, Date.parse(text)))
        .to.throw(RangeError)
        .with.property('message')
        .that.includes(`the clock says ${clock}; expected a time from 1970-01-01T00:00:00.000Z to 2223-`);
    }
    expect(logger.entries).to.deep.equal([]);
  });
});

describe('a server program under a wrong clock', () => {
  afterEach(endTest);

  /** A module that node loads first, with another clock. */
  function clockAt(text: string): string[] {
    return ['--import', `data:text/javascript,Date.now=()=>${Date.parse(text)}`];
  }

  it('says so in the log when it starts, and gives tokens that grow', async () => {
    const [flag = '', ...args] = clockAt('1970-01-01T00:01:00Z');
    const program = startProgram(flag, ...args, 'bin/server.js', '--port', 'auto');
    const line: unknown = JSON.parse(await program.nextErrorLine());
    expect(line).to.include({ level: 40, clock: '1970-01-01T00:01:00.000Z' });
    const port = Number(/ on \S+:(\d+), /.exec(await program.nextLine())?.[1]);
    const client = await RawClient.connect(port);
    expect([await client.take('a'), await client.take('b')]).to.deep.equal([60_000_001, 60_000_002]);
  });

  for (const script of ['bin/server.js', 'bin/glockd.js']) {
    it(`does not start where tokens could not grow, and leaves no pidfile: ${script}`, async () => {
      const folder = makeFolder();
      const [flag = '', ...args] = clockAt('2255-06-05T23:47:00Z');
      const pidfile = `${folder}/server.pid`;
      const program = startProgram(flag, ...args, script, '--port', 'auto', '--pidfile', pidfile);
      expect(await program.exit).to.deep.equal({ code: EXIT_CODES.failure, signal: null });
      expect(program.errorOutput).to.match(/^holdfast: the clock says 2255-06-05T23:47:00\.000Z; expected .*\n$/);
      expect(readdirSync(folder)).to.deep.equal([]);
    });
  }
});
