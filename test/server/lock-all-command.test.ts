import { expect } from 'chai';
import { type Message, type RawClient, until } from './raw-client.ts';
import { serverForEachTest } from './running-server.ts';

const CLIENTS = 200;
const LOCKS = 12;

describe('the lockAll command', () => {
  const server = serverForEachTest();

  it('takes a thousand locks at once, and hands them on when its client disconnects', async () => {
    const [first, second] = await server.connectTwo();
    const locks = Array.from({ length: 1_000 }, (_, index) => ({ lockName: `lock ${index}` }));
    const { tokens, counts } = await first.ask('lockAll', { locks });
    expect(tokens).to.deep.equal(locks.map((_, index) => index + 1));
    expect(counts).to.deep.equal(locks.map(() => 1));
    second.send({ command: 'lockAll', parameters: { locks }, id: 1 });
    await second.settle();
    first.reset();
    const { result } = await second.next();
    expect((result as Message).tokens).to.deep.equal(locks.map((_, index) => index + 1_001));
    expect(await second.ask('stats')).to.include({ orphans: 1_000, grants: 2_000, holders: 1_000, waiting: 0 });
  });

  it('is granted to all 200 clients in the end when their locks overlap', async () => {
    const clients = await server.connectMany(CLIENTS);
    const [watcher] = clients as [RawClient];
    await watcher.settle();
    const holders = new Map<string, number>();
    let granted = 0;
    const turns = clients.map(async (client, index) => {
      // Overlapping sets in both directions.
      const names = [index % LOCKS, (index * 5 + 1) % LOCKS, (index * 7 + 3) % LOCKS].map((lock) => `lock ${lock}`);
      const wanted = index % 2 === 0 ? [...new Set(names)] : [...new Set(names)].reverse();
      client.send({
        command: 'lockAll',
        parameters: { locks: wanted.map((lockName) => ({ lockName })), owner: 'tagged' },
        id: index,
      });
      expect(await client.next()).to.have.nested.property('result.status', 'ok');
      for (const name of wanted) {
        expect(holders.get(name), `${name} for ${index}`).to.equal(undefined);
        holders.set(name, index);
      }
      granted += 1;
      for (const name of wanted) holders.delete(name);
      if (index % 3 === 0) client.reset();
      else await client.ask('unlockAll');
    });
    await Promise.all(turns);
    expect(granted).to.equal(CLIENTS);
    const last = await server.connect();
    await until(async () => (await last.ask('stats')).holders === 0);
    expect(await last.ask('stats')).to.include({ waiting: 0, locks: 0, deadlocks: 0, cancelled: 0, timeouts: 0 });
  });
});
