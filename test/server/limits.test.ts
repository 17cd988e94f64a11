import { expect } from 'chai';
import { naiveEncode } from '../wire/naive-text.ts';
import { limitReached } from './answers.ts';
import { endTest } from './clean-up.ts';
import { ODD_NAMES } from './odd-names.ts';
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

    it('is exact to the byte for every odd name', async () => {
      for (const name of ODD_NAMES.filter((odd) => odd.length > 1 && odd.length < 20)) {
        const length = naiveEncode(name).length;
        const fits = await (await startServer({ maxNameBytes: length })).connect();
        expect(await fits.ask('lock', { lockName: name }), JSON.stringify(name)).to.include({ status: 'ok' });
        const tooLong = await (await startServer({ maxNameBytes: length - 1 })).connect();
        expect(await tooLong.ask('lock', { lockName: name }), JSON.stringify(name)).to.include({ status: 'limit' });
        await endTest();
      }
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

  it('maxLocks counts locks and permits of all clients, held or waited for', async () => {
    const [first, second] = await (await startServer({ maxLocks: 3 })).connectTwo();
    await first.take('a');
    await first.take('a', { mode: 'permit', limit: 1 });
    await second.take('b', { mode: 'shared' });
    const refusal = limitReached('maxLocks', 3);
    for (const parameters of [{ lockName: 'c' }, { lockName: 'b', mode: 'permit' }, { lockName: 'c', timeLimit: 0 }]) {
      expect(await second.ask('lock', parameters)).to.deep.equal(refusal);
    }
    expect(await second.ask('inspect', { lockName: 'c' })).to.include({ holderCount: 0, waiterCount: 0 });
    expect(await first.ask('lock', { lockName: 'b', mode: 'shared' })).to.include({ status: 'ok', count: 2 });
    await second.queue(1, 'a');
    await first.ask('unlockAll');
    expect(await second.next()).to.deep.include({ id: 1 });
    await second.take('c');
  });

  it('maxLocksPerSession counts what one session holds and waits for, each owner apart', async () => {
    const [client, other] = await (await startServer({ maxLocksPerSession: 3 })).connectTwo();
    await other.take('awaited');
    await client.take('a');
    await client.take('b', { mode: 'shared', owner: 'x' });
    await client.queue(1, 'awaited');
    const refusal = limitReached('maxLocksPerSession', 3);
    for (const parameters of [
      { lockName: 'c' },
      { lockName: 'b', mode: 'shared', owner: 'y' },
      { lockName: 'a', mode: 'permit' },
      { lockName: 'awaited', owner: 'y' },
    ]) {
      expect(await client.ask('lock', parameters), JSON.stringify(parameters)).to.deep.equal(refusal);
    }
    expect(await client.ask('lock', { lockName: 'a' })).to.include({ status: 'ok', alreadyHeld: true });
    await other.take('c');
    await client.ask('unlock', { lockName: 'a' });
    await client.take('d');
    await client.leave();
    await leftNothing(other, 2);
  });

  it('maxTableBytes and maxBytesPerSession count the memory of locks and waiting requests', async () => {
    const name = 'n'.repeat(10_000);
    for (const [limit, isOtherRefused] of [
      ['maxTableBytes', true],
      ['maxBytesPerSession', false],
    ] as const) {
      const [client, other] = await (await startServer({ [limit]: 10_000 })).connectTwo();
      await client.take(name, { lease: 100 });
      const refusal = limitReached(limit, 10_000);
      expect(await client.ask('lock', { lockName: 'a' }), limit).to.deep.equal(refusal);
      expect(await client.ask('lockAll', { locks: [{ lockName: 'a' }] }), limit).to.deep.equal(refusal);
      const answer = await other.ask('lock', { lockName: 'a' });
      expect(answer.status, limit).to.equal(isOtherRefused ? 'limit' : 'ok');
      expect(await client.ask('lock', { lockName: name, lease: 100 })).to.include({ status: 'ok', alreadyHeld: true });
      await client.ask('unlock', { lockName: name });
      await client.take('b');
    }
  });

  it('maxWaitersPerLock counts the requests that wait for one lock', async () => {
    const [holder, first, second] = await (await startServer({ maxWaitersPerLock: 3 })).connectThree();
    await holder.take('a');
    await holder.take('b');
    await first.queue(1, 'a');
    await first.queue(2, 'a');
    await first.queue(3, 'a', { owner: 'x' });
    const refusal = limitReached('maxWaitersPerLock', 3);
    expect(await second.ask('lock', { lockName: 'a' })).to.deep.equal(refusal);
    expect(await first.ask('lock', { lockName: 'a' })).to.deep.equal(refusal);
    expect(await second.ask('lock', { lockName: 'a', timeLimit: 0 })).to.deep.equal({ status: 'unavailable' });
    await second.queue(1, 'b');
    expect(await holder.ask('inspect', { lockName: 'a' })).to.include({ waiterCount: 2 });
    first.send({ command: 'cancel', parameters: { id: 2 } });
    expect(await first.next()).to.deep.equal({ id: 2, result: { status: 'cancelled' } });
    await second.queue(2, 'a');
    await holder.ask('unlock', { lockName: 'a' });
    expect(await first.next()).to.deep.include({ id: 1 });
  });

  it('maxLocksPerRequest counts the locks of one lockAll', async () => {
    const client = await (await startServer({ maxLocksPerRequest: 3 })).connect();
    const locks = ['a', 'b', 'c', 'd'].map((lockName) => ({ lockName }));
    const refusal = limitReached('maxLocksPerRequest', 3);
    expect(await client.ask('lockAll', { locks })).to.deep.equal(refusal);
    await leftNothing(client);
    expect(await client.ask('lockAll', { locks: locks.slice(1) })).to.include({ status: 'ok' });
    expect(await client.ask('lockAll', { locks })).to.deep.equal(refusal);
    await leftNothing(client, 3);
  });

  it('apply to each lock of a lockAll, which then does nothing', async () => {
    const limits = { maxLocks: 6, maxLocksPerSession: 4, maxWaitersPerLock: 1, maxNameBytes: 8, maxOwnerBytes: 8 };
    const [holder, client, waiter] = await (await startServer(limits)).connectThree();
    await holder.take('held');
    await waiter.queue(1, 'held');
    const named = (...names: string[]): object[] => names.map((lockName) => ({ lockName }));
    for (const [parameters, limit] of [
      [{ locks: named('a', 'b', 'c', 'd', 'e') }, 'maxLocksPerSession'],
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
