import { expect } from 'chai';
import { QuietLog } from '../../lib/message/quiet-log.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const MINUTE_MS = 60_000;

describe('QuietLog', () => {
  const now = performance.now;
  let nowMs: number;
  let logger: RecordingLogger;
  let log: QuietLog;

  beforeEach(() => {
    nowMs = 0;
    performance.now = () => nowMs;
    logger = new RecordingLogger();
    log = new QuietLog(logger);
  });

  afterEach(() => {
    performance.now = now;
  });

  it('warns', () => {
    log.warn('a key', 'a message');
    expect(logger.entries).to.deep.equal([{ level: 'warn', details: { silenced: 0 }, message: 'a message' }]);
  });

  it('warns of the same once a minute and tells how often it kept silent', () => {
    for (let count = 0; count < 5; count += 1) log.warn('a key', 'a message');
    log.warn('another key', 'another message');
    nowMs += MINUTE_MS - 1;
    log.warn('a key', 'a message');
    expect(logger.entries.map(({ message }) => message)).to.deep.equal(['a message', 'another message']);
    nowMs += 1;
    log.warn('a key', 'a message');
    nowMs += MINUTE_MS;
    log.warn('a key', 'a message');
    expect(logger.entries.slice(2).map(({ details }) => details)).to.deep.equal([{ silenced: 5 }, { silenced: 0 }]);
  });

  it('warns of a thousand things at most, until their minute is over', () => {
    for (let index = 0; index < 3_000; index += 1) log.warn(`key ${index}`, 'a message');
    expect(logger.entries).to.have.length(1_000);
    nowMs += MINUTE_MS;
    log.warn('one more', 'a message');
    expect(logger.entries).to.have.length(1_001);
  });
});
