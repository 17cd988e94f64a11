import { expect } from 'chai';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, withResumes } from '../../lib/server/lock-server-limits.ts';
import { addressOf, type Message, type RawClient, until } from './raw-client.ts';
import { type RunningServer, serverForEachTest, startServer } from './running-server.ts';

/** An event as a short text. */
function short({ event, kind, reason, session, lockName, otherLocks, name, token, waitedMs, count }: Message): string {
  if (event === 'missed') return `missed ${count}`;
  const others = (otherLocks as readonly string[] | undefined) ?? [];
  const waited = waitedMs === undefined ? undefined : 'waited';
  return [kind, reason, session, [lockName, ...others].join('+'), name, token, waited]
    .filter((each) => each !== undefined && each !== '')
    .join(' ');
}

async function told(watcher: RawClient, count: number): Promise<readonly string[]> {
  return (await watcher.nextMany(count)).map(short);
}

describe('the command watch', () => {
  const running: RunningServer = serverForEachTest({ maxWatchers: 2 }, undefined, { forceUnlock: true });
  let watcher: RawClient;
  let anna: RawClient;
  let ben: RawClient;

  beforeEach(async () => {
    [watcher, anna, ben] = await running.connectThree();
    await anna.ask('identify', { name: 'anna' });
    await ben.ask('identify', { name: 'ben' });
  });

  it('tells of waits, grants, releases, losses and refusals, with their reasons', async () => {
    expect(await watcher.ask('watch')).to.deep.equal({ status: 'ok' });
    await anna.take('a');
    await ben.queue(1, 'a');
    await ben.ask('lock', { lockName: 'a', timeLimit: 0, owner: 'x' });
    await anna.ask('unlock', { lockName: 'a' });
    await ben.next();
    await anna.ask('forceUnlock', { lockName: 'a' });
    await ben.next();
    await ben.take('b');
    await ben.leave();
    expect(await told(watcher, 8)).to.deep.equal([
      'grant a anna 1',
      'wait a ben',
      'refusal unavailable a ben',
      'release a anna 1',
      'grant a ben 2 waited',
      'loss forced a ben 2 waited',
      'grant b ben 3',
      'loss sessionEnded left b ben 3',
    ]);
  });

  it('tells who, when and how long', async () => {
    await watcher.ask('watch', { lockName: 'a' });
    const startMs = Date.now();
    await anna.take('a', { mode: 'shared', owner: 'tag' });
    await anna.ask('unlock', { lockName: 'a', owner: 'tag' });
    const [grant, release] = await watcher.nextMany(2);
    const expected = { event: 'watched', lockName: 'a', mode: 'shared', owner: 'tag', address: addressOf(anna) };
    expect(grant)
      .to.include({ ...expected, kind: 'grant' })
      .and.not.have.any.keys('heldMs', 'waitedMs', 'reason');
    expect(grant?.atMs).to.be.within(startMs, Date.now());
    expect(release).to.include({ ...expected, kind: 'release' });
    expect(release?.heldMs).to.be.a('number');
  });

  it('is about one lock, about those with a prefix, or about what was named last', async () => {
    await watcher.ask('watch', { lockName: 'import' });
    await ben.ask('watch', { lockName: 'nothing' });
    await ben.ask('watch', { prefix: 'import ' });
    for (const name of ['export', 'import', 'import 1']) await anna.take(name);
    expect(await told(watcher, 1)).to.deep.equal(['grant import anna 2']);
    expect(await told(ben, 1)).to.deep.equal(['grant import 1 anna 3']);
    for (const client of [watcher, ben]) await client.settle();
  });

  it('tells of a request for several locks whichever of them is watched', async () => {
    await watcher.ask('watch', { lockName: 'b' });
    await anna.take('a');
    await anna.take('b');
    const locks = [{ lockName: 'a' }, { lockName: 'b' }];
    await ben.ask('lockAll', { locks, timeLimit: 0 });
    ben.send({ command: 'lockAll', parameters: { locks }, id: 1 });
    await ben.settle();
    expect(await told(watcher, 3)).to.deep.equal(['grant b anna 2', 'refusal unavailable a+b ben', 'wait a+b ben']);
  });

  it('is refused at maxWatchers, until a watcher has left', async () => {
    await watcher.ask('watch');
    await anna.ask('watch');
    expect(await ben.ask('watch')).to.deep.equal({ status: 'limit', limit: 'maxWatchers', value: 2 });
    expect((await ben.ask('stats')).refusals).to.include({ maxWatchers: 1 });
    // One that watches already may change its mind.
    expect(await anna.ask('watch', { prefix: 'x' })).to.deep.equal({ status: 'ok' });
    await watcher.leave();
    expect(await ben.ask('watch')).to.deep.equal({ status: 'ok' });
  });

  it('is refused with a name that no lock can have', async () => {
    const lockName = 'x'.repeat(DEFAULT_LOCK_SERVER_LIMITS.maxNameBytes + 1);
    for (const about of [{ lockName }, { prefix: lockName }]) {
      expect(await watcher.ask('watch', about)).to.include({ status: 'limit', limit: 'maxNameBytes' });
    }
  });

  it('tells one who does not read how many events it missed, and nobody waits for it', async () => {
    const lockName = 'x'.repeat(DEFAULT_LOCK_SERVER_LIMITS.maxNameBytes);
    await watcher.ask('watch');
    watcher.socket.pause();
    // More than what the systems of both sides keep.
    const rounds = 400;
    for (let round = 0; round < rounds; round += 1) {
      await anna.take(lockName);
      await anna.ask('unlock', { lockName });
    }
    watcher.socket.resume();
    let seen = 0;
    let missed: Message | undefined;
    while (missed === undefined) {
      const message = await watcher.next();
      if (message.event === 'missed') missed = message;
      else seen += 1;
    }
    expect(missed.count)
      .to.be.above(0)
      .and.equal(2 * rounds - seen);
    await anna.take('after');
    expect(await told(watcher, 1)).to.deep.equal([`grant after anna ${rounds + 1}`]);
  });
});

describe('a server that nobody watches', () => {
  const limits = withResumes(DEFAULT_LOCK_SERVER_LIMITS);

  it('observes no lock', async () => {
    const manager = new LocalLockManager({ limits, ledger: new MemoryLedger(0) });
    const [one, other] = await (await startServer({}, undefined, { manager })).connectTwo();
    expect(manager.observers).to.equal(undefined);
    for (const client of [one, other]) await client.ask('watch');
    expect(manager.observers).not.to.equal(undefined);
    await one.leave();
    expect(manager.observers).not.to.equal(undefined);
    other.reset();
    await until(() => manager.observers === undefined);
  });
});
