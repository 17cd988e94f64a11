import { EventEmitter, once } from 'node:events';
import { expect } from 'chai';
import { QuietLog } from '../../lib/message/quiet-log.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

/** Longer than any test. */
const LONG_MS = 600_000;

/** Emits an event for each line. */
class TellingLogger extends RecordingLogger {
  readonly lines = new EventEmitter();

  override warn(details: object, message: string): void {
    super.warn(details, message);
    this.lines.emit('line');
  }
}

describe('QuietLog', () => {
  let logger: TellingLogger;
  let log: QuietLog;

  function start(periodMs: number): void {
    logger = new TellingLogger();
    log = new QuietLog(logger, periodMs);
  }

  function warn(topic: string, address: string): void {
    log.tell({
      level: 'warn',
      topic,
      key: address,
      details: { topic, address },
      message: `${topic} of ${address}`,
      leftOut: (count) => ({ details: { topic, count, address }, message: `${count} more, the last of ${address}` }),
    });
  }

  function messages(): string[] {
    return logger.warnings;
  }

  it('warns, with the details to search for', () => {
    start(LONG_MS);
    warn('origin', '10.0.0.1');
    expect(logger.entries).to.deep.equal([
      { level: 'warn', details: { topic: 'origin', address: '10.0.0.1' }, message: 'origin of 10.0.0.1' },
    ]);
    log.flush();
  });

  it('warns once of each topic and key within a period', () => {
    start(LONG_MS);
    for (let time = 0; time < 3; time += 1) {
      for (const address of ['10.0.0.1', '10.0.0.2']) {
        warn('origin', address);
        warn('host', address);
      }
    }
    expect(messages()).to.deep.equal([
      'origin of 10.0.0.1',
      'host of 10.0.0.1',
      'origin of 10.0.0.2',
      'host of 10.0.0.2',
    ]);
    log.flush();
  });

  it('counts the others and reports them in one line', () => {
    start(LONG_MS);
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.1', '10.0.0.2', '10.0.0.1']) warn('origin', address);
    log.flush();
    expect(logger.at('warn').slice(2)).to.deep.equal([
      {
        level: 'warn',
        details: { topic: 'origin', count: 3, address: '10.0.0.1' },
        message: '3 more, the last of 10.0.0.1',
      },
    ]);
    log.flush();
    expect(messages()).to.have.lengthOf(3);
  });

  it('names at most ten keys of a topic', () => {
    start(LONG_MS);
    for (let index = 0; index < 1_000; index += 1) warn('origin', `10.0.${index >> 8}.${index & 255}`);
    expect(messages()).to.have.lengthOf(10);
    log.flush();
    expect(messages()[10]).to.equal('990 more, the last of 10.0.3.231');
  });

  it('reports its counts by itself at the end of the period', async () => {
    start(5);
    warn('origin', '10.0.0.1');
    warn('origin', '10.0.0.1');
    await once(logger.lines, 'line');
    expect(messages()).to.deep.equal(['origin of 10.0.0.1', '1 more, the last of 10.0.0.1']);
    warn('origin', '10.0.0.1');
    expect(messages()[2]).to.equal('origin of 10.0.0.1');
  });

  it('does not keep the process alive', () => {
    const count = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    start(LONG_MS);
    const before = count();
    warn('origin', '10.0.0.1');
    expect(count()).to.equal(before);
    log.flush();
  });
});
