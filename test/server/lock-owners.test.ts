import { expect } from 'chai';
import { alreadyHeld, granted, invalid } from './answers.ts';
import { serverForEachTest } from './running-server.ts';

describe('the owners of locks', () => {
  const server = serverForEachTest();

  it('get the same token when they ask again for a lock that they hold', async () => {
    const client = await server.connect();
    await client.take('jobs');
    for (const parameters of [{}, { owner: '' }, { mode: 'shared' }, { timeLimit: 0 }]) {
      expect(await client.ask('lock', { lockName: 'jobs', ...parameters })).to.deep.equal(alreadyHeld(1));
    }
    await client.take('other');
    expect(await client.ask('stats')).to.include({ grants: 2, holders: 2 });
  });

  it('exclude each other within one client when their tags differ', async () => {
    const client = await server.connect();
    await client.take('jobs', { owner: 'a' });
    for (const owner of ['b', 'A', '', 'a ']) {
      expect(await client.ask('lock', { lockName: 'jobs', owner, timeLimit: 0 })).to.include({ status: 'unavailable' });
    }
    await client.queue(1, 'jobs', { owner: 'b' });
    client.send({ command: 'unlock', parameters: { lockName: 'jobs', owner: 'a' } });
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 2, count: 1 } });
  });

  it('cannot ask for an exclusive lock while they wait for or hold a shared one', async () => {
    const [holder, client] = await server.connectTwo();
    await holder.take('jobs');
    await client.queue(1, 'jobs', { mode: 'shared' });
    const refusal = (verb: string): object =>
      invalid(`the owner ${verb} the lock shared and cannot ask for it exclusive`);
    expect(await client.ask('lock', { lockName: 'jobs' })).to.deep.equal(refusal('awaits'));
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await client.next()).to.deep.equal({ id: 1, result: granted(2) });
    expect(await client.ask('lock', { lockName: 'jobs' })).to.deep.equal(refusal('holds'));
    expect((await client.ask('inspect', { lockName: 'jobs' })).holders).to.have.lengthOf(1);
  });

  it('keep one place in the queue however often they ask, and all requests are answered together', async () => {
    const [holder, client, last] = await server.connectThree();
    await holder.take('jobs');
    await client.queue(1, 'jobs');
    await last.queue(1, 'jobs');
    await client.queue(2, 'jobs');
    expect(await holder.ask('inspect', { lockName: 'jobs' })).to.include({ waiterCount: 2 });
    expect(await holder.ask('stats')).to.include({ waiting: 3 });
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 2, count: 1 } });
    expect(await client.next()).to.deep.equal({ id: 2, result: alreadyHeld(2) });
    await client.ask('unlock', { lockName: 'jobs' });
    expect(await last.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 3, count: 1 } });
  });
});
