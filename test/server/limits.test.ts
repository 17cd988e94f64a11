import { expect } from 'chai';
import { limitReached } from './answers.ts';
import { endTest } from './clean-up.ts';
import type { RawClient } from './raw-client.ts';
import { startServer } from './running-server.ts';

describe('the limits of the server', () => {
  afterEach(endTest);

  describe('maxNameBytes', () => {
    it('counts the bytes of the encoded name', async () => {
      const client = await (await startServer({ maxNameBytes: 12 })).connect();
      const multiples = { x: 12, é: 6, 日: 4, '😀': 3, '\udcff': 12, '\ud83d': 4 };
      for (const [character, count] of Object.entries(multiples)) {
        const name = character.repeat(count);
        expect(await client.ask('lock', { lockName: name }), JSON.stringify(name)).to.include({ status: 'ok' });
        expect(await client.ask('unlock', { lockName: name })).to.include({ status: 'ok' });
        const longer = `${name}x`;
        expect(await client.ask('lock', { lockName: longer }), JSON.stringify(longer)).to.deep.equal(
          limitReached('maxNameBytes', 12),
        );
      }
      await leftNothing(client);
    });

    it('is 60,000 bytes by default', async () => {
      const client = await (await startServer()).connect();
      await client.take('é'.repeat(30_000));
      expect(await client.ask('lock', { lockName: `${'é'.repeat(30_000)}x` })).to.deep.equal(
        limitReached('maxNameBytes', 60_000),
      );
    });
  });

  it('maxOwnerBytes counts the bytes of the owner tag', async () => {
    const client = await (await startServer({ maxOwnerBytes: 4 })).connect();
    for (const owner of ['abcde', 'ééx', '😀x', '\udc80'.repeat(5)]) {
      expect(await client.ask('lock', { lockName: 'a', owner }), owner).to.deep.equal(limitReached('maxOwnerBytes', 4));
    }
    await leftNothing(client);
    for (const [index, owner] of ['abcd', 'éé', '😀', '\udc80'.repeat(4)].entries()) {
      await client.take(`${index}`, { owner });
    }
  });

  it('maxClientNameBytes counts the bytes of the name of identify and hello', async () => {
    const client = await (await startServer({ maxClientNameBytes: 4 })).connect();
    const refusal = limitReached('maxClientNameBytes', 4);
    expect(await client.ask('identify', { name: 'ééx' })).to.deep.equal(refusal);
    expect(await client.ask('hello', { protocol: 1, name: 'abcde' })).to.deep.equal(refusal);
    expect(await client.ask('who')).to.deep.equal({ status: 'ok', clients: [] });
    expect(await client.ask('identify', { name: 'éé' })).to.deep.equal({ status: 'ok' });
    expect(await client.ask('identify', { name: 'abcde' })).to.deep.equal(refusal);
    expect(await client.ask('whoami')).to.include({ name: 'éé' });
  });

  it('apply to each lock of a lockAll, and a refused lockAll takes nothing', async () => {
    const perLock = { maxWaitersPerLock: 1, maxNameBytes: 8, maxOwnerBytes: 8 };
    const limits = { maxLocks: 6, maxLocksPerSession: 4, maxLocksPerRequest: 5, ...perLock };
    const [holder, client, waiter] = await (await startServer(limits)).connectThree();
    await holder.take('held');
    await waiter.queue(1, 'held');
    const named = (...names: string[]): object[] => names.map((lockName) => ({ lockName }));
    for (const [parameters, limit] of [
      [{ locks: named('a', 'b', 'c', 'd', 'e') }, 'maxLocksPerSession'],
      [{ locks: named('a', 'b', 'c', 'd', 'e', 'f') }, 'maxLocksPerRequest'],
      [{ locks: named('a', 'held') }, 'maxWaitersPerLock'],
      [{ locks: named('a', 'ninebytes') }, 'maxNameBytes'],
      [{ locks: named('a'), owner: 'ninebytes' }, 'maxOwnerBytes'],
    ] as const) {
      const value = limits[limit];
      expect(await client.ask('lockAll', parameters), limit).to.deep.equal({ status: 'limit', limit, value });
    }
    expect(await client.ask('stats')).to.include({ locks: 1, holders: 1, waiting: 1 });
    await holder.take('a');
    await holder.take('b');
    await holder.take('c');
    const refusal = limitReached('maxLocks', 6);
    expect(await client.ask('lockAll', { locks: named('d', 'e', 'f') })).to.deep.equal(refusal);
    expect(await client.ask('lockAll', { locks: named('d', 'e') })).to.include({ status: 'ok' });
  });

  it('maxPageEntries bounds the cycle that a deadlock shows', async () => {
    const server = await startServer({ maxPageEntries: 2 });
    const clients = await server.connectThree();
    await circle(clients.slice(0, 2));
    const [first, second] = clients;
    const short = await second.ask('lock', { lockName: '0', owner: '1' });
    expect(short.cycle).to.have.lengthOf(2);
    await second.ask('unlockAll');
    await first.next();
    await first.ask('unlockAll');
    await circle(clients);
    expect(await clients[2].ask('lock', { lockName: '0', owner: '2' })).to.deep.equal({ status: 'deadlock' });
  });

  it('maxPageBytes bounds that cycle too', async () => {
    const server = await startServer({ maxPageBytes: 400 });
    const [first, second] = await server.connectTwo();
    const long = 'x'.repeat(100);
    await circle([first, second]);
    expect(await second.ask('lock', { lockName: '0', owner: '1' })).to.have.nested.property('cycle.length', 2);
    await first.take(long, { owner: '0' });
    await second.ask('unlock', { lockName: '1', owner: '1' });
    await first.next();
    await second.take('2', { owner: '1' });
    await first.queue('last', '2', { owner: '0' });
    expect(await second.ask('lock', { lockName: long, owner: '1' })).to.deep.equal({ status: 'deadlock' });
  });

  it('refuse long texts in listings', async () => {
    const client = await (await startServer({ maxNameBytes: 5, maxClientNameBytes: 4 })).connect();
    expect(await client.ask('inspect', { lockName: 'sixsix' })).to.deep.equal(limitReached('maxNameBytes', 5));
    expect(await client.ask('list', { prefix: 'sixsix' })).to.deep.equal(limitReached('maxNameBytes', 5));
    expect(await client.ask('list', { after: 'sixsix' })).to.deep.equal(limitReached('maxNameBytes', 5));
    expect(await client.ask('who', { name: 'fives' })).to.deep.equal(limitReached('maxClientNameBytes', 4));
  });

  describe('maxPendingRequests', () => {
    it('refuses commands that may have to wait and serves the others', async () => {
      const [holder, client] = await (await startServer({ maxPendingRequests: 2 })).connectTwo();
      await holder.take('a');
      await client.queue(1, 'a');
      await client.queue(2, 'a', { owner: 'x' });
      const refusal = limitReached('maxPendingRequests', 2);
      expect(await client.ask('lock', { lockName: 'free' })).to.deep.equal(refusal);
      expect(await client.ask('lockAll', { locks: [{ lockName: 'free' }] })).to.deep.equal(refusal);
      expect(await client.ask('stats')).to.deep.equal(refusal);
      for (const [command, parameters] of [
        ['ping'],
        ['whoami'],
        ['who'],
        ['list'],
        ['identify', { name: 'x' }],
        ['hello', { protocol: 1 }],
        ['inspect', { lockName: 'a' }],
        ['verify', { lockName: 'a', token: 1 }],
        ['cancel', { id: 'none' }],
        ['unlockAll', { owner: 'none' }],
      ] as const) {
        expect(await client.ask(command, parameters), command).to.include({ status: 'ok' });
      }
      expect(await client.ask('unlock', { lockName: 'free' })).to.deep.equal({ status: 'notHeld' });
      expect(await holder.ask('inspect', { lockName: 'free' })).to.include({ holderCount: 0 });
      await holder.take('free');
    });
  });
});

/** Each client takes the lock of its number, and all but the last wait for the next one. */
async function circle(clients: readonly RawClient[]): Promise<void> {
  for (const [index, client] of clients.entries()) await client.take(`${index}`, { owner: `${index}` });
  for (const [index, client] of clients.slice(0, -1).entries()) {
    await client.queue(`wait ${index}`, `${index + 1}`, { owner: `${index}` });
  }
}

async function leftNothing(client: RawClient, holders = 0): Promise<void> {
  expect(await client.ask('stats')).to.include({ locks: holders, permits: 0, holders, waiting: 0 });
}
