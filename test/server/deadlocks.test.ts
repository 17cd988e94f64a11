import { expect } from 'chai';
import type { RawClient } from './raw-client.ts';
import { serverForEachTest } from './running-server.ts';

const CLIENTS = 60;
/** More than are looked at while a request is being answered. */
const OWNERS = 2_000;

describe('a deadlock', () => {
  const server = serverForEachTest();

  it('of thousands is refused while the request waits, and the next request for it too', async () => {
    const client = await server.connect();
    const numbers = Array.from({ length: OWNERS }, (_, index) => index);
    const lock = (index: number, lockName: string) => {
      return { command: 'lock', parameters: { lockName, owner: `o${index}` }, id: lockName };
    };
    client.send(...numbers.map((index) => lock(index, `${index}`)));
    for (const { result } of await client.nextMany(OWNERS)) expect(result).to.include({ status: 'ok' });
    client.send(...numbers.slice(0, -1).map((index) => lock(index, `${index + 1}`)));
    for (let round = 0; round < 2; round += 1) {
      expect(await client.ask('lock', { lockName: '0', owner: `o${OWNERS - 1}` })).to.deep.equal({
        status: 'deadlock',
      });
    }
    expect(await client.ask('stats')).to.include({ deadlocks: 2, waiting: OWNERS - 1, holders: OWNERS });
    client.send({ command: 'unlockAll', parameters: { owner: `o${OWNERS - 1}` } });
    expect(await client.next()).to.deep.include({ id: `${OWNERS - 1}` });
  });

  it('lets clients finish that release all their locks and start again', async () => {
    const clients = await server.connectMany(CLIENTS);
    let deadlocks = 0;
    const dine = async (client: RawClient, index: number): Promise<void> => {
      const owner = `owner ${index}`;
      for (let meal = 0; meal < 5; ) {
        await client.take(`fork ${index}`, { owner });
        const { status } = await client.ask('lock', { lockName: `fork ${(index + 1) % CLIENTS}`, owner });
        expect(status).to.be.oneOf(['ok', 'deadlock']);
        if (status === 'ok') meal += 1;
        else deadlocks += 1;
        await client.ask('unlockAll');
      }
    };
    await Promise.all(clients.map(dine));
    const last = await server.connect();
    expect(await last.ask('stats')).to.include({ deadlocks, holders: 0, waiting: 0, locks: 0, timeouts: 0 });
  });
});
