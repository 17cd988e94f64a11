import { expect } from 'chai';
import { alreadyHeld, granted, invalid } from './answers.ts';
import type { Message } from './raw-client.ts';
import { serverForEachTest } from './running-server.ts';

describe('the lock command', () => {
  const server = serverForEachTest();

  it('grants a free lock with its token and the number of holders', async () => {
    const client = await server.connect();
    client.send({ command: 'lock', parameters: { lockName: 'jobs' }, id: 7 });
    expect(await client.next()).to.deep.equal({ id: 7, result: { status: 'ok', token: 1, count: 1 } });
  });

  for (const parameters of [{}, { timeLimit: false }]) {
    it(`keeps a request with ${JSON.stringify(parameters)} waiting until the holder unlocks`, async () => {
      const [holder, waiter] = await server.connectTwo();
      await holder.take('jobs');
      await waiter.queue(5, 'jobs', parameters);
      expect(await holder.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
      expect(await waiter.next()).to.deep.equal({ id: 5, result: granted(2) });
    });
  }

  it('answers timeout at the time limit, and leaves the queue', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.take('jobs');
    expect(await waiter.ask('lock', { lockName: 'jobs', timeLimit: 0.03 })).to.include({ status: 'timeout' });
    expect(await waiter.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 1, waiterCount: 0 });
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await waiter.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 0, waiterCount: 0 });
    expect(waiter.unreadCount).to.equal(0);
  });

  it('names up to ten holders of the lock in the answer timeout', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.ask('identify', { name: 'import' });
    await holder.take('jobs', { stealable: true });
    const { holders } = await waiter.ask('lock', { lockName: 'jobs', mode: 'shared', timeLimit: 0.01 });
    const [{ heldMs, ...described }] = holders as [Message];
    expect(heldMs).to.satisfy((value: number) => Number.isInteger(value) && value >= 0);
    const { address } = await holder.ask('whoami');
    const whose = { lockName: 'jobs', owner: '', name: 'import', address };
    expect(described).to.deep.equal({ ...whose, mode: 'exclusive', token: 1, stealable: true });
    for (let owner = 0; owner < 12; owner += 1) await holder.take('index', { mode: 'shared', owner: `${owner}` });
    const many = await waiter.ask('lock', { lockName: 'index', timeLimit: 0.01 });
    expect((many.holders as Message[]).map(({ owner }) => owner)).to.deep.equal([...'0123456789']);
  });

  it('answers an owner that asks again for its lock with the same token', async () => {
    const client = await server.connect();
    await client.take('jobs');
    for (const parameters of [{}, { owner: '' }, { mode: 'shared' }, { timeLimit: 0 }]) {
      expect(await client.ask('lock', { lockName: 'jobs', ...parameters })).to.deep.equal(alreadyHeld(1));
    }
    await client.take('other');
    expect(await client.ask('stats')).to.include({ grants: 2, holders: 2 });
  });

  it('refuses an owner an exclusive lock while it waits for or holds a shared one', async () => {
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

  it('grants as many permits as the limit allows', async () => {
    const [first, second, third] = await server.connectThree();
    const permit = { lockName: 'jobs', mode: 'permit', limit: 2 };
    expect(await first.ask('lock', permit)).to.include({ status: 'ok', count: 1 });
    expect(await second.ask('lock', permit)).to.include({ status: 'ok', count: 2 });
    expect(await third.ask('lock', { ...permit, timeLimit: 0 })).to.deep.equal({ status: 'unavailable' });
    await third.queue(1, 'jobs', permit);
    await first.ask('unlock', { lockName: 'jobs', mode: 'permit' });
    expect(await third.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 3, count: 2 } });
  });

  for (const [command, parameters] of [
    ['lock', { lockName: 'jobs' }],
    ['lockAll', { locks: [{ lockName: 'jobs' }] }],
  ] as const) {
    it(`is refused without an id and takes nothing: ${command}`, async () => {
      const client = await server.connect();
      for (const id of [{}, { id: null }]) {
        client.send({ command, parameters, ...id });
        const message = `id is missing; ${command} needs one`;
        expect(await client.next()).to.deep.equal({ error: { status: 'invalid', message } });
      }
      expect(await client.ask('stats')).to.include({ holders: 0, waiting: 0 });
    });
  }
});
