import { expect } from 'chai';
import { type Gate, makeGate } from '../../lib/message/gate.ts';
import { granted } from '../server/answers.ts';
import { endTest } from '../server/clean-up.ts';
import { type RawClient, until } from '../server/raw-client.ts';
import type { RunningServer } from '../server/running-server.ts';
import { open, startWithList } from './session-scene.ts';

const REFUSED = { status: 'unavailable', reason: 'ledger' };

describe('a session that cannot be recorded', () => {
  let server: RunningServer;
  /** Opens when the record fails. */
  let failed: Gate;
  let asked: number;

  beforeEach(async () => {
    failed = makeGate();
    asked = 0;
    server = await startWithList({
      add: () => {
        asked += 1;
        return failed.promise.then(() => {
          throw new Error('the disk is full');
        });
      },
    });
  });
  afterEach(endTest);

  it('L2: is refused its locks, which others are granted', async () => {
    const [client, other] = await server.connectTwo();
    await open(client);
    const [held, waiting, both] = [
      { lockName: 'a' },
      { lockName: 'taken' },
      { locks: [{ lockName: 'b' }, { lockName: 'c' }] },
    ];
    const taken = await other.take('taken');
    client.send(
      { command: 'lock', parameters: held, id: 1 },
      { command: 'lock', parameters: waiting, id: 2 },
      { command: 'lockAll', parameters: both, id: 3 },
    );
    await client.settle();
    failed.resolve();
    for (const id of [1, 2, 3]) expect(await client.next()).to.deep.equal({ id, result: REFUSED });
    expect(await other.ask('stats')).to.include({ holders: 1, waiting: 0 });
    for (const lockName of ['a', 'b', 'c']) await other.take(lockName);
    expect(await other.ask('unlock', { lockName: 'taken', token: taken })).to.deep.equal({ status: 'ok', count: 0 });
    await client.settle();
  });

  it('is recorded with its next lock, if that is possible then', async () => {
    const client = await server.connect();
    await open(client);
    failed.resolve();
    expect(await client.ask('lock', { lockName: 'a' })).to.deep.equal(REFUSED);
    expect(await client.ask('lock', { lockName: 'a' })).to.deep.equal(REFUSED);
    expect(asked).to.equal(2);
  });

  it('L2: ends as usual when its client leaves before that is known', async () => {
    const [client, other] = await server.connectTwo();
    await open(client);
    client.send({ command: 'lock', parameters: { lockName: 'a' }, id: 1 });
    client.socket.end();
    await until(() => asked === 1);
    await until(async () => (await other.ask('stats')).orphans === 1);
    failed.resolve();
    await client.closed;
    expect(await client.rest()).to.deep.equal([{ id: 1, result: REFUSED }]);
    expect(await other.ask('lock', { lockName: 'a' })).to.include({ status: 'ok' });
  });

  it('L2: ends as usual when its client says bye before that is known', async () => {
    const [client, other] = await server.connectTwo();
    await open(client);
    client.send({ command: 'lock', parameters: { lockName: 'a' }, id: 1 });
    await client.ask('bye');
    failed.resolve();
    expect(await client.next()).to.deep.equal({ id: 1, result: REFUSED });
    expect(await other.ask('lock', { lockName: 'a' })).to.deep.equal(granted(2));
  });

  describe('and is resumed before that is known', () => {
    let other: RawClient;
    let second: RawClient;

    beforeEach(async () => {
      const first = await server.connect();
      other = await server.connect();
      second = await server.connect();
      const { id, secret } = await open(first);
      first.send({ command: 'lock', parameters: { lockName: 'jobs' }, id: 7 });
      await until(() => asked === 1);
      const session = { id, secret, requests: [7] };
      second.send({ command: 'hello', parameters: { protocol: 1, session }, id: 1 }, { command: 'ping', id: 2 });
      await first.closed;
    });

    it('L2: is told of no grant that is refused then', async () => {
      failed.resolve();
      const [hello, ping] = await second.nextMany(2);
      expect(hello)
        .to.have.nested.property('result.session')
        .that.deep.includes({ answers: [], unknown: [7] });
      expect(ping).to.include({ id: 2 });
      expect(await other.take('jobs')).to.equal(2);
      await second.settle();
    });

    it('ends as usual when its client leaves', async () => {
      second.socket.end();
      failed.resolve();
      expect((await second.rest()).map(({ id }) => id)).to.deep.equal([1, 2]);
      await other.take('jobs');
    });

    it('is refused though that connection is lost as well', async () => {
      second.reset();
      await until(async () => (await other.ask('stats')).suspendedSessions === 1);
      failed.resolve();
      await until(async () => (await other.ask('stats')).holders === 0);
      await other.take('jobs');
    });
  });
});

describe('a session that is recorded with its first lock', () => {
  afterEach(endTest);

  it('L2: is recorded before a steal from many is answered, and the requests after that wait', async () => {
    const recorded = makeGate();
    const server = await startWithList({ add: () => recorded.promise });
    const [holder, taker] = await server.connectTwo();
    const parameters = { lockName: 'hot', mode: 'shared', stealable: true };
    const ids = [...Array(300).keys()];
    holder.send(...ids.map((id) => ({ command: 'lock', parameters: { ...parameters, owner: `${id}` }, id })));
    await holder.nextMany(ids.length);
    await open(taker);
    const steal = { lockName: 'hot', steal: true };
    taker.send({ command: 'lock', parameters: steal, id: 'steal' }, { command: 'ping', id: 'behind' });
    await holder.nextMany(ids.length);
    recorded.resolve();
    expect(await taker.next()).to.deep.equal({ id: 'steal', result: granted(301) });
    expect(await taker.next()).to.deep.include({ id: 'behind' });
  });

  it('L2: is told of a grant on its next connection only once it is recorded', async () => {
    const recorded = makeGate();
    const server = await startWithList({ add: () => recorded.promise });
    const [first, second] = await server.connectTwo();
    const { id, secret } = await open(first);
    first.send({ command: 'lock', parameters: { lockName: 'jobs' }, id: 7 });
    await until(() => (server.server.commandStats() as { holders: number }).holders === 1);
    const session = { id, secret, requests: [7] };
    second.send({ command: 'hello', parameters: { protocol: 1, session }, id: 1 });
    await first.closed;
    expect(second.unreadCount).to.equal(0);
    recorded.resolve();
    const answers = [{ id: 7, result: granted(1) }];
    expect(await second.next())
      .to.have.nested.property('result.session')
      .that.deep.includes({ answers, unknown: [] });
  });
});
