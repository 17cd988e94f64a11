import { expect } from 'chai';
import { LongWaits } from '../../lib/history/long-waits.ts';
import { openFileLedger } from '../../lib/ledger/file-ledger.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { addressOf, type RawClient, until } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const HOUR_MS = 3_600_000;

describe('a wait that is longer than waitsOver', () => {
  let log: RecordingLogger;
  let anna: RawClient;
  let ben: RawClient;

  /** A server that logs waits of that length. */
  async function begin(waitsOverMs: number): Promise<LongWaits> {
    log = new RecordingLogger();
    const longWaits = new LongWaits(waitsOverMs, log);
    whenTestEnds(() => longWaits.close());
    const server = await startServer({}, undefined, { observers: [longWaits] });
    [anna, ben] = await server.connectTwo();
    await anna.ask('identify', { name: 'anna' });
    return longWaits;
  }
  afterEach(endTest);

  it('is logged while it lasts, with the one who waits and the one who holds', async () => {
    await begin(1);
    await anna.take('jobs', { owner: 'x' });
    await ben.queue(1, 'jobs', { mode: 'shared' });
    await until(() => log.at('info').length > 0);
    const [{ message, details }] = log.at('info') as [ReturnType<RecordingLogger['at']>[number]];
    expect(message).to.match(/^a request has waited for a lock for \d+ ms$/);
    expect(details).to.include({
      lockName: 'jobs',
      mode: 'shared',
      owner: '',
      address: addressOf(ben),
      holderCount: 1,
    });
    const [holder, ...others] = details.holders as readonly object[];
    expect(holder).to.include({ owner: 'x', name: 'anna', address: addressOf(anna), mode: 'exclusive', token: 1 });
    expect(others).to.deep.equal([]);
  });

  it('for several locks is logged with the holder of the one that is held', async () => {
    await begin(1);
    await anna.take('b');
    ben.send({ command: 'lockAll', parameters: { locks: [{ lockName: 'a' }, { lockName: 'b' }] }, id: 1 });
    await until(() => log.at('info').length > 0);
    expect(log.at('info')[0]?.details).to.include({ lockName: 'a', holderCount: 1 });
    await ben.leave();
    expect(log.at('info')).to.have.lengthOf(1);
  });

  it('is logged once, and shorter ones are not', async () => {
    await begin(100);
    await anna.take('short');
    await ben.queue(1, 'short');
    await anna.ask('unlock', { lockName: 'short' });
    await ben.next();
    await ben.ask('lock', { lockName: 'short', timeLimit: 0 });
    await anna.ask('lock', { lockName: 'short', timeLimit: 0.001 });
    await anna.take('long');
    await ben.queue(2, 'long');
    await until(() => log.at('info').length > 0);
    expect(log.at('info').map(({ details }) => details.lockName)).to.deep.equal(['long']);
  });

  it('is not logged once its server stops, although the wait goes on with the session', async () => {
    log = new RecordingLogger();
    let agoMs = 0;
    const longWaits = new LongWaits(HOUR_MS, log, () => performance.now() + agoMs);
    whenTestEnds(() => longWaits.close());
    const report = { tell: () => {}, fail: (error: Error) => expect.fail(error.message) };
    const ledger = await openFileLedger({ directory: makeFolder(), nowMs: Date.now(), report });
    whenTestEnds(() => ledger.close());
    const first = await startServer({}, undefined, { ledger, observers: [longWaits] });
    [anna, ben] = await first.connectTwo();
    await anna.take('jobs');
    await ben.ask('hello', { protocol: 1, session: { timeout: 10 } });
    await ben.queue(1, 'jobs');
    const stopped = first.server.close({ drainMs: HOUR_MS });
    await until(async () => (await anna.ask('lock', { lockName: 'free', timeLimit: 0 })).status === 'draining');
    await ben.queue(2, 'free');
    await anna.ask('unlock', { lockName: 'jobs' });
    await stopped;
    expect(await ben.rest()).to.deep.equal([{ event: 'goaway' }]);
    agoMs = 2 * HOUR_MS;
    await (await startServer({}, undefined, { observers: [longWaits] })).connectWaiter('later');
    await until(() => log.at('info').length > 0);
    expect(log.at('info').map(({ details }) => details.lockName)).to.deep.equal(['later']);
  });
});
