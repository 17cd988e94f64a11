import { expect } from 'chai';
import { LockHistory, type LockHistoryOptions } from '../../lib/history/lock-history.ts';
import type { HistoryRecord } from '../../lib/protocol.ts';
import { granted } from '../server/answers.ts';
import { endTest } from '../server/clean-up.ts';
import { addressOf, type Message, type RawClient } from '../server/raw-client.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';

/** Longer than any hold of these tests. */
const LONG_MS = 3_600_000;

let server: RunningServer;
let anna: RawClient;
let ben: RawClient;
let reader: RawClient;

/** Begins a server with a history and three clients. */
async function begin(options: LockHistoryOptions, switches: Parameters<typeof startServer>[2] = {}): Promise<void> {
  const history = new LockHistory(options);
  server = await startServer({ maxPageEntries: 50 }, undefined, {
    forceUnlock: true,
    observers: [history],
    history,
    ...switches,
  });
  [anna, ben, reader] = await server.connectThree();
  await anna.ask('identify', { name: 'anna' });
  await ben.ask('identify', { name: 'ben' });
}

async function ask(parameters: object = {}): Promise<Message> {
  return await reader.ask('history', parameters);
}

async function records(parameters: object = {}): Promise<readonly HistoryRecord[]> {
  const { status, records: found } = await ask(parameters);
  expect(status).to.equal('ok');
  return found as readonly HistoryRecord[];
}

/** Each record as a short text, the newest first. */
async function told(parameters: object = {}): Promise<readonly string[]> {
  return (await records(parameters)).map(({ kind, lockName = '', name, reason }) =>
    [kind, lockName, name, reason].join(' '),
  );
}

async function hold(client: RawClient, lockName: string): Promise<void> {
  await client.take(lockName);
  await client.ask('unlock', { lockName });
}

describe('the history', () => {
  afterEach(endTest);

  it('tells everything of a hold: who, from where, since when, how long it waited, and how it ended', async () => {
    await begin({ minHeldMs: LONG_MS });
    const beforeMs = Date.now();
    await anna.take('a');
    await ben.queue(1, 'a', { mode: 'shared', owner: 'x' });
    await anna.ask('unlock', { lockName: 'a' });
    expect(await ben.next()).to.deep.equal({ id: 1, result: granted(2) });
    await ben.ask('unlock', { lockName: 'a', owner: 'x' });
    const [record, ...others] = await records();
    expect(others).to.deep.equal([]);
    const { sinceMs = 0, untilMs = 0, waitedMs, ...rest } = record ?? {};
    expect(rest).to.deep.equal({
      kind: 'hold',
      reason: 'released',
      lockName: 'a',
      mode: 'shared',
      owner: 'x',
      name: 'ben',
      address: addressOf(ben),
      token: 2,
    });
    expect(waitedMs).to.be.within(0, Date.now() - beforeMs + 1);
    expect(sinceMs).to.be.within(beforeMs - 1, untilMs);
    expect(untilMs).to.be.at.most(Date.now());
  });

  it('leaves out short holds and try-locks that found the lock taken, unless it is to keep everything', async () => {
    await begin({ minHeldMs: LONG_MS });
    await anna.take('a');
    await ben.ask('lock', { lockName: 'a', timeLimit: 0 });
    await anna.ask('unlock', { lockName: 'a' });
    expect(await told()).to.deep.equal([]);
    await begin({ minHeldMs: LONG_MS, everything: true });
    await anna.take('a');
    await ben.ask('lock', { lockName: 'a', timeLimit: 0 });
    await anna.ask('unlock', { lockName: 'a' });
    expect(await told()).to.deep.equal(['hold a anna released', 'request a ben unavailable']);
  });

  it('keeps each hold that lasted for minHeldMs', async () => {
    await begin({ minHeldMs: 0 });
    await hold(anna, 'a');
    expect(await told()).to.deep.equal(['hold a anna released']);
  });

  it('tells of waits that failed, with all locks of a request for several', async () => {
    await begin({ minHeldMs: LONG_MS });
    await anna.take('b');
    await ben.ask('lock', { lockName: 'b', timeLimit: 0.001 });
    await ben.ask('lockAll', { locks: [{ lockName: 'a' }, { lockName: 'b' }], timeLimit: 0.001 });
    expect(await told()).to.deep.equal(['request a ben timeout', 'request b ben timeout']);
    const [several] = await records({ lockName: 'b', max: 1 });
    expect(several).to.deep.include({ lockName: 'a', otherLocks: ['b'] });
  });

  it('tells of a deadlock that was refused', async () => {
    await begin({ minHeldMs: LONG_MS });
    await anna.take('a', { owner: 'x' });
    await ben.take('b', { owner: 'y' });
    await anna.queue(1, 'b', { owner: 'x' });
    await ben.ask('lock', { lockName: 'a', owner: 'y' });
    expect(await told()).to.deep.equal(['request a ben deadlock']);
  });

  it('tells how a session ended that freed something, and of nothing when it had nothing', async () => {
    await begin({ minHeldMs: LONG_MS });
    await anna.take('a');
    await anna.take('b');
    await anna.leave();
    await ben.leave();
    const found = await records();
    expect(
      found.map(({ kind, lockName, reason, session, count }) => [kind, lockName, reason, session, count]),
    ).to.deep.equal([
      ['hold', 'b', 'sessionEnded', 'left', undefined],
      ['hold', 'a', 'sessionEnded', 'left', undefined],
      ['session', undefined, 'left', undefined, 2],
    ]);
  });

  it('tells who took a lock, and who lost it', async () => {
    await begin({ minHeldMs: LONG_MS });
    await anna.take('a');
    await ben.ask('forceUnlock', { lockName: 'a' });
    expect(await anna.next()).to.include({ event: 'lost' });
    await anna.take('b');
    await ben.take('b', { steal: true });
    expect(await told()).to.deep.equal([
      'steal b ben steal',
      'hold b anna stolen',
      'forceUnlock a ben forceUnlock',
      'hold a anna forced',
    ]);
  });

  it('finds records by name, by the beginning of names, by reason and by time', async () => {
    await begin({ everything: true });
    await hold(anna, 'jobs/a');
    await anna.ask('lock', { lockName: 'jobs/b', lease: 0.001 });
    expect(await anna.next()).to.include({ event: 'lost' });
    await hold(ben, 'other');
    expect(await told({ lockName: 'jobs/a' })).to.deep.equal(['hold jobs/a anna released']);
    expect(await told({ prefix: 'jobs/' })).to.deep.equal(['hold jobs/b anna lease', 'hold jobs/a anna released']);
    expect(await told({ reason: 'lease' })).to.deep.equal(['hold jobs/b anna lease']);
    const [{ sinceMs = 0, untilMs = 0 } = {}] = await records({ lockName: 'jobs/b' });
    expect(await told({ lockName: 'jobs/b', since: sinceMs / 1_000, until: sinceMs / 1_000 })).to.have.lengthOf(1);
    expect(await told({ lockName: 'jobs/b', since: (untilMs + 1) / 1_000 })).to.deep.equal([]);
    expect(await told({ lockName: 'jobs/b', until: (sinceMs - 1) / 1_000 })).to.deep.equal([]);
  });

  it('is told page by page, each record once although others come meanwhile', async () => {
    await begin({ everything: true });
    for (let index = 0; index < 5; index += 1) await hold(anna, `${index}`);
    const names: (string | undefined)[] = [];
    let after: unknown;
    do {
      const page = await ask({ max: 2, ...(after === undefined ? {} : { after }) });
      names.push(...(page.records as readonly HistoryRecord[]).map(({ lockName }) => lockName));
      after = page.next;
      await hold(ben, 'later');
    } while (after !== undefined);
    expect(names).to.deep.equal(['4', '3', '2', '1', '0']);
  });

  it('is told in pages that are no longer than the limits allow', async () => {
    await begin({ everything: true });
    const long = 'n'.repeat(50_000);
    for (let index = 0; index < 15; index += 1) await hold(anna, `${long}${index}`);
    const { records: found, next } = await ask();
    expect((found as readonly unknown[]).length).to.be.within(5, 12);
    expect(next).to.be.a('number');
    expect(await ask({ max: 10_000, prefix: 'x' })).to.deep.equal({ status: 'ok', records: [] });
  });

  it('forgets the oldest records when there are too many, or when they take too much', async () => {
    await begin({ everything: true, maxRecords: 3 });
    for (let index = 0; index < 5; index += 1) await hold(anna, `${index}`);
    expect((await records()).map(({ lockName }) => lockName)).to.deep.equal(['4', '3', '2']);
    await begin({ everything: true, maxBytes: 10_000 });
    await hold(anna, 'first');
    await hold(anna, 'n'.repeat(4_900));
    expect((await records()).map(({ lockName = '' }) => lockName.length)).to.deep.equal([4_900]);
  });

  it('has records of earlier runs behind those of this one, as far as there is room', async () => {
    const earlier: HistoryRecord = {
      kind: 'hold',
      reason: 'released',
      lockName: 'x',
      name: '',
      address: '',
      sinceMs: 1,
      untilMs: 2,
    };
    const history = new LockHistory({ everything: true, maxRecords: 4 });
    await begin({}, { observers: [history], history });
    await hold(anna, 'a');
    await hold(anna, 'b');
    const names = ['1', '2', '3'];
    expect(names.map((lockName) => history.addEarlier({ ...earlier, lockName }))).to.deep.equal([true, true, false]);
    const namesTold = async (): Promise<unknown> => (await records()).map(({ lockName }) => lockName);
    expect(await namesTold()).to.deep.equal(['b', 'a', '1', '2']);
    await hold(anna, 'c');
    expect(await namesTold()).to.deep.equal(['c', 'b', 'a', '1']);
  });

  it('is denied where listings are, and without a history', async () => {
    await begin({}, { dump: false });
    expect(await ask()).to.deep.equal({ status: 'denied' });
    const other = await startServer();
    expect(await (await other.connect()).ask('history')).to.deep.equal({ status: 'denied' });
  });

  it('is told by the client in the same way', async () => {
    await begin({ everything: true });
    await hold(anna, 'jobs');
    const client = await server.client();
    const page = await client.history({ prefix: 'jo', sinceMs: Date.now() - LONG_MS, untilMs: Date.now() + LONG_MS });
    expect(page.records.map(({ lockName, reason }) => [lockName, reason])).to.deep.equal([['jobs', 'released']]);
    await client.history({ reason: 'sometimes' as 'lost' }).then(
      () => expect.fail('it was answered'),
      (error: Error) => expect(error.message).to.include('parameters.reason'),
    );
  });
});
