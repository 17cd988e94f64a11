import { expect } from 'chai';
import { type Gate, makeGate } from '../../lib/message/gate.ts';
import { granted } from '../server/answers.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
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
});
