import { expect } from 'chai';
import { openFileLedger } from '../../lib/ledger/file-ledger.ts';
import type { LockObserver } from '../../lib/server/lock-observer.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { endTest, makeFolder, whenTestEnds } from './clean-up.ts';
import type { RawClient } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

type Told = Required<LockObserver>;

/** Notes what it is told, as short texts. */
class Notes implements LockObserver {
  readonly lines: string[] = [];

  queued: Told['queued'] = ({ lock, owner }) => {
    this.lines.push(`queued ${lock.name} ${owner.session.client.clientName}`);
  };
  granted: Told['granted'] = ({ lock, owner, mode, token, waitedMs }) => {
    const { clientName } = owner.session.client;
    this.lines.push(`granted ${lock.name} ${clientName} ${mode} ${token}${waitedMs === undefined ? '' : ' waited'}`);
  };
  ended: Told['ended'] = ({ lock, owner, token }, how) => {
    this.lines.push(`ended ${lock.name} ${token} ${how} ${owner.session.end ?? ''}`.trimEnd());
  };
  refused: Told['refused'] = ({ request, result, session, waitedMs }) => {
    const names = 'locks' in request ? request.locks.map(({ name }) => name).join('+') : request.name;
    const waited = waitedMs === undefined ? '' : ' waited';
    this.lines.push(`refused ${names} ${session.client.clientName} ${result.status}${waited}`);
  };
  sessionEnded: Told['sessionEnded'] = ({ client, end }, holds, waits) => {
    this.lines.push(`session of ${client.clientName} ${end} ${holds} ${waits}`);
  };
  intervened: Told['intervened'] = ({ by, client, lockName, count }) => {
    this.lines.push(`${by} ${lockName} ${client.clientName} ${count}`);
  };

  stopping: Told['stopping'] = () => {
    this.lines.push('stopping');
  };

  take(): readonly string[] {
    return this.lines.splice(0);
  }
}

describe('an observer of the locks', () => {
  let notes: Notes;
  let log: RecordingLogger;
  let server: RunningServer;
  let anna: RawClient;
  let ben: RawClient;

  beforeEach(async () => {
    notes = new Notes();
    log = new RecordingLogger();
    const failing: LockObserver = {
      granted: () => {
        throw new Error('on purpose');
      },
    };
    server = await startServer({ maxLocks: 3 }, log, { forceUnlock: true, observers: [failing, notes] });
    [anna, ben] = await server.connectTwo();
    await anna.ask('identify', { name: 'anna' });
    await ben.ask('identify', { name: 'ben' });
  });
  afterEach(endTest);

  it('is told of grants and releases in their order, and who waited', async () => {
    await anna.take('a');
    await ben.queue(1, 'a', { mode: 'shared' });
    await anna.ask('unlock', { lockName: 'a' });
    await ben.next();
    await ben.ask('unlockAll');
    expect(notes.take()).to.deep.equal([
      'granted a anna exclusive 1',
      'queued a ben',
      'ended a 1 released',
      'granted a ben shared 2 waited',
      'ended a 2 released',
    ]);
  });

  it('is not told of a lock that was held already', async () => {
    await anna.take('a');
    await anna.take('a');
    expect(notes.take()).to.deep.equal(['granted a anna exclusive 1']);
  });

  it('is told how requests ended that were not granted', async () => {
    await anna.take('a');
    await anna.take('b');
    await ben.ask('lock', { lockName: 'a', timeLimit: 0 });
    await ben.ask('lock', { lockName: 'a', timeLimit: 0.001 });
    await ben.take('c');
    await ben.ask('lock', { lockName: 'd' });
    await ben.queue(1, 'b');
    ben.send({ command: 'cancel', parameters: { id: 1 }, id: 2 });
    await ben.nextMany(2);
    expect(notes.take().slice(2)).to.deep.equal([
      'refused a ben unavailable',
      'queued a ben',
      'refused a ben timeout waited',
      'granted c ben exclusive 3',
      'refused d ben limit',
      'queued b ben',
      'refused b ben cancelled waited',
    ]);
  });

  it('is told of a request for several locks once while it waits, and of each of its grants', async () => {
    await anna.take('a');
    ben.send({ command: 'lockAll', parameters: { locks: [{ lockName: 'a' }, { lockName: 'b' }] }, id: 1 });
    await ben.settle();
    await anna.ask('unlock', { lockName: 'a' });
    await ben.next();
    expect(notes.take().slice(1)).to.deep.equal([
      'queued a ben',
      'ended a 1 released',
      'granted a ben exclusive 2 waited',
      'granted b ben exclusive 3 waited',
    ]);
  });

  it('is told of a request that is refused as a deadlock at once, and not that it waits', async () => {
    await anna.take('a', { owner: 'x' });
    await ben.take('b', { owner: 'y' });
    await anna.queue(1, 'b', { owner: 'x' });
    await ben.ask('lock', { lockName: 'a', owner: 'y' });
    await ben.ask('lockAll', { locks: [{ lockName: 'a' }, { lockName: 'c' }], owner: 'y' });
    expect(notes.take().slice(2)).to.deep.equal([
      'queued b anna',
      'refused a ben deadlock',
      'refused a+c ben deadlock',
    ]);
  });

  it('is told how a session ended before what it had ends', async () => {
    await anna.take('a');
    await ben.take('b');
    await ben.queue(1, 'a');
    await ben.leave();
    await anna.ask('bye');
    await anna.take('a');
    expect(notes.take().slice(3)).to.deep.equal([
      'session of ben left 1 1',
      'refused a ben cancelled waited',
      'ended b 2 sessionEnded left',
      'session of anna bye 1 0',
      'ended a 1 sessionEnded bye',
      'granted a anna exclusive 3',
    ]);
  });

  it('is told who took locks from others', async () => {
    await anna.take('a');
    await anna.take('b');
    await ben.ask('forceUnlock', { lockName: 'a' });
    await ben.take('b', { steal: true });
    expect(notes.take().slice(2)).to.deep.equal([
      'ended a 1 forced',
      'forceUnlock a ben 1',
      'ended b 2 stolen',
      'granted b ben exclusive 3',
      'steal b ben 1',
    ]);
  });

  it('is told once that the server stops, before waits end with it', async () => {
    await anna.take('a');
    await ben.queue(1, 'a');
    await Promise.all([server.server.close(), server.server.close()]);
    expect(notes.take().slice(2, 4)).to.deep.equal(['stopping', 'refused a ben draining waited']);
    expect(notes.take()).to.not.include('stopping');
  });

  it('is told of waits that a server goes on with after a planned stop', async () => {
    const directory = makeFolder();
    const report = { tell: () => {}, fail: (error: Error) => expect.fail(error.message) };
    const openLedger = () => openFileLedger({ directory, nowMs: Date.now(), report });
    const ledger = await openLedger();
    const first = await startServer({}, undefined, { ledger });
    const [holder, waiter] = await first.connectTwo();
    for (const client of [holder, waiter]) await client.ask('hello', { protocol: 1, session: { timeout: 10 } });
    for (const name of ['a', 'b']) await holder.take(name);
    await waiter.queue(1, 'a', { owner: 'x' });
    await waiter.queue(2, 'a', { owner: 'x' });
    const locks = [{ lockName: 'b' }, { lockName: 'c' }];
    waiter.send({ command: 'lockAll', parameters: { locks }, id: 3 });
    await waiter.settle();
    await first.server.close();
    await ledger.close();
    const again = await openLedger();
    whenTestEnds(() => again.close());
    await startServer({}, undefined, { ledger: again, observers: [notes] });
    expect([...notes.take()].sort().map((line) => line.trimEnd())).to.deep.equal(['queued a', 'queued b']);
  });

  it('that fails is logged and stops nothing', async () => {
    await anna.take('a');
    expect(notes.take()).to.deep.equal(['granted a anna exclusive 1']);
    expect(log.at('error').map(({ message }) => message)).to.deep.equal(['an observer of the locks failed']);
  });
});
