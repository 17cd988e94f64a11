import { expect } from 'chai';
import { invalid } from './answers.ts';
import type { RawClient } from './raw-client.ts';
import { serverForEachTest } from './running-server.ts';

const NO_NAME = invalid('parameters.lockName is missing; expected it or a token');

describe('the unlock command', () => {
  const server = serverForEachTest();

  it('releases a lock by its name and says how many holders are left', async () => {
    const [first, second] = await server.connectTwo();
    await first.take('jobs', { mode: 'shared' });
    await second.take('jobs', { mode: 'shared' });
    first.send({ command: 'unlock', parameters: { lockName: 'jobs' }, id: 0 });
    expect(await first.next()).to.deep.equal({ id: 0, result: { status: 'ok', count: 1 } });
    expect(await second.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
  });

  it('releases nothing if one of several keys does not fit', async () => {
    const client = await server.connect();
    const token = await client.take('jobs', { owner: 'a' });
    const other = await client.take('other', { owner: 'a' });
    const keys = { lockName: 'jobs', owner: 'a', mode: 'exclusive', token };
    const wrongTokens = [other, token + 10, 0].map((wrong) => ({ token: wrong }));
    const wrongKeys = [{ lockName: 'other' }, { owner: 'b' }, { mode: 'shared' }, { mode: 'permit' }];
    for (const asked of [
      ...[...wrongKeys, ...wrongTokens].map((wrong) => ({ ...keys, ...wrong })),
      ...wrongKeys.slice(0, 3).map((wrong) => ({ token, ...wrong })),
    ]) {
      expect(await client.ask('unlock', asked), JSON.stringify(asked)).to.deep.equal({ status: 'notHeld' });
    }
    await stillHolds(client, 2);
    expect(await client.ask('unlock', keys)).to.deep.equal({ status: 'ok', count: 0 });
  });

  it('needs a name or a token', async () => {
    const client = await server.connect();
    for (const parameters of [{}, { mode: 'shared' }, { owner: '' }]) {
      expect(await client.ask('unlock', parameters)).to.deep.equal(NO_NAME);
    }
  });

  it('leaves a queue, and answers the requests that waited there first', async () => {
    const [holder, waiter] = await server.connectWaiter('jobs');
    await waiter.queue(2, 'jobs');
    waiter.send({ command: 'unlock', parameters: { lockName: 'jobs' }, id: 3 });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'cancelled' } });
    expect(await waiter.next()).to.deep.equal({ id: 2, result: { status: 'cancelled' } });
    expect(await waiter.next()).to.deep.equal({ id: 3, result: { status: 'ok', count: 1, withdrawn: true } });
    expect(await holder.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 1, waiterCount: 0 });
    expect(await holder.ask('stats')).to.include({ cancelled: 2, releases: 0, waiting: 0 });
  });

  it('works without an id, and without an answer', async () => {
    const client = await server.connect();
    await client.take('jobs');
    client.send({ command: 'unlock', parameters: { lockName: 'jobs' } });
    client.send({ command: 'unlock', parameters: { lockName: 'jobs' } });
    expect(await client.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 0 });
  });

  async function stillHolds(client: RawClient, count: number): Promise<void> {
    expect(await client.ask('stats')).to.include({ holders: count, releases: 0 });
  }
});

describe('the unlock command in the form of pkLockServer', () => {
  const server = serverForEachTest();

  it('releases a lock and says so', async () => {
    const [holder, waiter] = await server.connectWaiter('jobs');
    holder.write('{"command":"unlock","lockName":"jobs"}\n');
    expect(await holder.next()).to.deep.equal({ attempted: 'unlock', result: 'ok', lockName: 'jobs' });
    expect((await waiter.next()).result).to.include({ status: 'ok' });
    expect((await holder.ask('stats')).requests).to.include({ unlock: 1 });
  });

  it('answers notFound for a lock that the client does not hold', async () => {
    const [holder, other] = await server.connectTwo();
    await holder.take('jobs');
    other.send({ command: 'unlock', lockName: 'jobs', id: null });
    expect(await other.next()).to.deep.equal({ attempted: 'unlock', result: 'notFound', lockName: 'jobs' });
    expect(await other.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 1 });
  });

  it('answers invalid when the name is missing or no string', async () => {
    const client = await server.connect();
    for (const message of [{}, { lockName: 5 }, { lockName: null }, { lockName: ['jobs'] }]) {
      client.send({ command: 'unlock', ...message });
      expect(await client.next()).to.deep.equal({ attempted: 'unlock', result: 'invalid' });
    }
  });

  it('is an ordinary unlock if it has an id', async () => {
    const client = await server.connect();
    await client.take('jobs');
    client.send({ command: 'unlock', lockName: 'jobs', id: 1 });
    expect(await client.next()).to.deep.equal({ id: 1, result: NO_NAME });
    expect(await client.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 1 });
  });
});

describe('the unlockAll command', () => {
  const server = serverForEachTest();

  it('releases all holds of the session and says how many there were', async () => {
    const [client, other] = await server.connectTwo();
    await client.take('a');
    await client.take('b', { mode: 'shared', owner: 'x' });
    await client.take('b', { mode: 'permit' });
    await other.take('c');
    expect(await client.ask('unlockAll')).to.deep.equal({ status: 'ok', released: 3 });
    expect(await client.ask('unlockAll')).to.deep.equal({ status: 'ok', released: 0 });
    expect(await client.ask('stats')).to.include({ holders: 1, locks: 1, permits: 0, releases: 3 });
  });

  it('releases the holds of one owner', async () => {
    const client = await server.connect();
    await client.take('a', { owner: 'x' });
    await client.take('b', { owner: 'x' });
    await client.take('c', { owner: 'y' });
    await client.take('d');
    expect(await client.ask('unlockAll', { owner: 'x' })).to.deep.equal({ status: 'ok', released: 2 });
    expect(await client.ask('unlockAll', { owner: '' })).to.deep.equal({ status: 'ok', released: 1 });
    expect((await client.ask('list')).locks)
      .to.have.lengthOf(1)
      .and.to.have.nested.property('[0].lockName', 'c');
  });

  it('leaves all queues, and answers the requests that waited there first', async () => {
    const [holder, client] = await server.connectTwo();
    await holder.take('a');
    await client.take('b');
    await client.queue(1, 'a');
    client.send({ command: 'unlockAll', id: 2 });
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'cancelled' } });
    expect(await client.next()).to.deep.equal({ id: 2, result: { status: 'ok', released: 1 } });
    expect(await holder.ask('stats')).to.include({ waiting: 0, holders: 1 });
  });
});
