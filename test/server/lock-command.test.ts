import { expect } from 'chai';
import { granted, invalid } from './answers.ts';
import type { Message } from './raw-client.ts';
import { serverForEachTest } from './running-server.ts';

describe('the lock command', () => {
  const server = serverForEachTest();

  it('grants a free lock with its token and the number of holders', async () => {
    const client = await server.connect();
    client.send({ command: 'lock', parameters: { lockName: 'jobs' }, id: 7 });
    expect(await client.next()).to.deep.equal({ id: 7, result: { status: 'ok', token: 1, count: 1 } });
  });

  it('gives every grant a greater token, whatever its lock and mode', async () => {
    const client = await server.connect();
    const tokens = [
      await client.take('a'),
      await client.take('b', { mode: 'shared' }),
      await client.take('a', { mode: 'permit' }),
    ];
    await client.ask('unlockAll');
    tokens.push(await client.take('a'));
    expect(tokens).to.deep.equal([1, 2, 3, 4]);
  });

  it('keeps a request waiting until the holder unlocks', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.take('jobs');
    await waiter.queue(5, 'jobs');
    expect(await holder.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
    expect(await waiter.next()).to.deep.equal({ id: 5, result: { status: 'ok', token: 2, count: 1 } });
  });

  it('grants waiting requests in the order in which they came', async () => {
    const holder = await server.connect();
    await holder.take('jobs');
    const waiters = await server.connectMany(4);
    for (const [index, waiter] of waiters.entries()) await waiter.queue(index, 'jobs');
    await holder.ask('unlock', { lockName: 'jobs' });
    for (const [index, waiter] of waiters.entries()) {
      expect(await waiter.next()).to.deep.equal({ id: index, result: { status: 'ok', token: index + 2, count: 1 } });
      await waiter.ask('unlock', { lockName: 'jobs' });
    }
  });

  it('waits without limit when timeLimit is false', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.take('jobs');
    await waiter.queue(1, 'jobs', { timeLimit: false });
    await holder.ask('unlock', { lockName: 'jobs' });
    expect((await waiter.next()).result).to.deep.equal({ status: 'ok', token: 2, count: 1 });
  });

  it('answers timeout when the time limit is over, and the request waits no longer', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.take('jobs');
    expect(await waiter.ask('lock', { lockName: 'jobs', timeLimit: 0.03 })).to.include({ status: 'timeout' });
    expect(await waiter.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 1, waiterCount: 0 });
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await waiter.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 0, waiterCount: 0 });
    expect(waiter.unreadCount).to.equal(0);
  });

  it('tells with a timeout who holds the lock at that moment, ten of them at most', async () => {
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

  it('lets in those behind a request whose time limit is over', async () => {
    const [holder, writer, reader] = await server.connectThree();
    await holder.take('jobs', { mode: 'shared' });
    await writer.queue(1, 'jobs', { timeLimit: 0.05 });
    reader.send({ command: 'lock', parameters: { lockName: 'jobs', mode: 'shared' }, id: 2 });
    expect(await reader.next()).to.deep.equal({ id: 2, result: { status: 'ok', token: 2, count: 2 } });
  });

  describe('as a try-lock', () => {
    it('answers unavailable when the lock is held', async () => {
      const [holder, other] = await server.connectTwo();
      await holder.take('jobs');
      expect(await other.ask('lock', { lockName: 'jobs', timeLimit: 0 })).to.deep.equal({ status: 'unavailable' });
      expect(await other.ask('inspect', { lockName: 'jobs' })).to.include({ waiterCount: 0 });
    });

    it('takes a free lock', async () => {
      const client = await server.connect();
      expect(await client.ask('lock', { lockName: 'jobs', timeLimit: 0 })).to.deep.equal(granted(1));
    });

    it('answers unavailable behind a waiting writer, though only readers hold', async () => {
      const [reader, writer, other] = await server.connectThree();
      await reader.take('jobs', { mode: 'shared' });
      await writer.queue(1, 'jobs');
      const result = await other.ask('lock', { lockName: 'jobs', mode: 'shared', timeLimit: 0 });
      expect(result).to.deep.equal({ status: 'unavailable' });
    });
  });

  describe('with modes', () => {
    it('grants shared requests together and counts the holders', async () => {
      const [first, second] = await server.connectTwo();
      expect(await first.ask('lock', { lockName: 'jobs', mode: 'shared' })).to.include({ status: 'ok', count: 1 });
      expect(await second.ask('lock', { lockName: 'jobs', mode: 'shared' })).to.include({ status: 'ok', count: 2 });
    });

    it('keeps a writer waiting until the last reader unlocks', async () => {
      const [first, second, writer] = await server.connectThree();
      await first.take('jobs', { mode: 'shared' });
      await second.take('jobs', { mode: 'shared' });
      await writer.queue(1, 'jobs', { mode: 'exclusive' });
      expect(await first.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 1 });
      await writer.settle();
      await second.ask('unlock', { lockName: 'jobs' });
      expect(await writer.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 3, count: 1 } });
    });

    it('keeps a reader waiting behind a waiting writer, and grants neighbouring readers together', async () => {
      const [reader, writer, second] = await server.connectThree();
      const [third, last] = await server.connectTwo();
      await reader.take('jobs', { mode: 'shared' });
      await writer.queue('writer', 'jobs');
      await second.queue('second', 'jobs', { mode: 'shared' });
      await third.queue('third', 'jobs', { mode: 'shared' });
      await last.queue('last', 'jobs');
      await reader.ask('unlock', { lockName: 'jobs' });
      expect(await writer.next()).to.deep.equal({ id: 'writer', result: { status: 'ok', token: 2, count: 1 } });
      await second.settle();
      await writer.ask('unlock', { lockName: 'jobs' });
      expect(await second.next()).to.deep.equal({ id: 'second', result: { status: 'ok', token: 3, count: 1 } });
      expect(await third.next()).to.deep.equal({ id: 'third', result: { status: 'ok', token: 4, count: 2 } });
      await last.settle();
    });
  });

  describe('with permits', () => {
    it('grants as many as the limit says', async () => {
      const [first, second, third] = await server.connectThree();
      const permit = { lockName: 'jobs', mode: 'permit', limit: 2 };
      expect(await first.ask('lock', permit)).to.include({ status: 'ok', count: 1 });
      expect(await second.ask('lock', permit)).to.include({ status: 'ok', count: 2 });
      expect(await third.ask('lock', { ...permit, timeLimit: 0 })).to.deep.equal({ status: 'unavailable' });
      await third.queue(1, 'jobs', permit);
      await first.ask('unlock', { lockName: 'jobs', mode: 'permit' });
      expect(await third.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 3, count: 2 } });
    });

    it('keeps them apart from the reader/writer lock of that name', async () => {
      const [first, second] = await server.connectTwo();
      await first.take('jobs');
      expect(await second.ask('lock', { lockName: 'jobs', mode: 'permit', limit: 1 })).to.include({ count: 1 });
    });

    it('lets a permit without a limit pass those that wait', async () => {
      const [first, second, third] = await server.connectThree();
      await first.take('jobs', { mode: 'permit', limit: 1 });
      await second.queue(1, 'jobs', { mode: 'permit', limit: 1 });
      expect(await third.ask('lock', { lockName: 'jobs', mode: 'permit' })).to.include({ status: 'ok', count: 2 });
    });

    it('looks only at the first that waits, with its own limit', async () => {
      const [holder, small, great] = await server.connectThree();
      await holder.take('jobs', { mode: 'permit' });
      await small.queue(1, 'jobs', { mode: 'permit', limit: 1 });
      await great.queue(2, 'jobs', { mode: 'permit', limit: 9 });
      small.send({ command: 'cancel', parameters: { id: 1 } });
      expect(await small.next()).to.deep.equal({ id: 1, result: { status: 'cancelled' } });
      expect(await great.next()).to.deep.equal({ id: 2, result: { status: 'ok', token: 2, count: 2 } });
    });

    it('refuses a limit for another mode', async () => {
      const client = await server.connect();
      for (const mode of [undefined, 'exclusive', 'shared'] as const) {
        expect(await client.ask('lock', { lockName: 'jobs', mode, limit: 3 })).to.deep.equal(
          invalid(`parameters.limit is 3; expected none, since mode is "${mode ?? 'exclusive'}"`),
        );
      }
      expect(await client.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 0 });
    });
  });

  describe('without an id', () => {
    it('is refused and takes nothing', async () => {
      const client = await server.connect();
      for (const id of [{}, { id: null }]) {
        client.send({ command: 'lock', parameters: { lockName: 'jobs' }, ...id });
        expect(await client.next()).to.deep.equal({
          error: { status: 'invalid', message: 'id is missing; lock needs one' },
        });
      }
      expect(await client.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 0, waiterCount: 0 });
    });
  });

  describe('with an id that is in flight', () => {
    it('is answered without an id, and the first request is unaffected', async () => {
      const [holder, waiter] = await server.connectTwo();
      await holder.take('jobs');
      await waiter.queue(7, 'jobs');
      waiter.send({ command: 'ping', id: 7 }, { command: 'ping', id: '7' });
      expect(await waiter.next()).to.deep.equal({ error: { status: 'invalid', message: 'id 7 is in flight' } });
      expect(await waiter.next()).to.deep.equal({ id: '7', result: { status: 'ok' } });
      await holder.ask('unlock', { lockName: 'jobs' });
      expect(await waiter.next()).to.deep.equal({ id: 7, result: { status: 'ok', token: 2, count: 1 } });
      waiter.send({ command: 'ping', id: 7 });
      expect(await waiter.next()).to.deep.equal({ id: 7, result: { status: 'ok' } });
    });
  });
});
