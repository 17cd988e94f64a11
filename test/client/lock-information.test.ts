import { expect } from 'chai';
import { LockError } from '../../lib/client/lock-error.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { endTest } from '../server/clean-up.ts';
import { inListOrder, ODD_NAMES } from '../server/odd-names.ts';
import { startServer } from '../server/running-server.ts';
import { rejection } from './rejection.ts';

const NOBODY = { status: 'ok', holderCount: 0, waiterCount: 0, holders: [], waiters: [] };

describe('what a client is told of locks', () => {
  afterEach(endTest);

  it('by inspect: who holds and who waits', async () => {
    const server = await startServer();
    const [holder, waiter] = [await server.client({ name: 'Ann' }), await server.client()];
    const handle = await holder.lock('jobs');
    const waiting = waiter.lock('jobs');
    await waiter.rpc('ping');
    const { holders, waiters, ...counts } = await waiter.inspect('jobs');
    expect(counts).to.deep.equal({ status: 'ok', lockName: 'jobs', holderCount: 1, waiterCount: 1 });
    expect(holders).to.have.lengthOf(1);
    expect(holders[0]).to.have.all.keys('owner', 'name', 'address', 'mode', 'token', 'heldMs');
    expect(holders[0]).to.include({ owner: handle.owner, name: 'Ann', mode: 'exclusive', token: handle.token });
    expect(holders[0]?.address).to.equal((await holder.rpc('whoami')).address);
    expect(holders[0]?.heldMs).to.be.a('number');
    expect(waiters).to.have.lengthOf(1);
    expect(waiters[0]).to.have.all.keys('owner', 'name', 'address', 'mode', 'waitedMs', 'position');
    expect(waiters[0]?.position).to.equal(1);
    expect(waiters[0]?.address).to.equal((await waiter.rpc('whoami')).address);
    await handle.release();
    await (await waiting).release();
    expect(await waiter.inspect('jobs')).to.deep.equal({ ...NOBODY, lockName: 'jobs' });
  });

  it('by list: all of them, by pages', async () => {
    const client = await (await startServer()).client();
    for (const name of ['a/1', 'a/2', 'a/3', 'b']) await client.lock(name);
    const first = await client.list({ prefix: 'a/', max: 2 });
    expect(first.locks.map(({ lockName }) => lockName)).to.deep.equal(['a/1', 'a/2']);
    expect(first.locks[0]).to.deep.include({ holderCount: 1, waiterCount: 0, waiters: [] });
    expect(first.locks[0]?.holders[0]).to.include({ mode: 'exclusive', token: 1 });
    expect(first.next).to.equal('a/2');
    const second = await client.list({ prefix: 'a/', max: 2, after: first.next as string });
    expect(second.locks.map(({ lockName }) => lockName)).to.deep.equal(['a/3']);
    expect(second).to.not.have.property('next');
    expect((await client.list()).locks).to.have.lengthOf(4);
  });

  it('by stats: counts', async () => {
    const client = await (await startServer()).client();
    await client.lock('a');
    const { requests, refusals, uptimeMs, ...counts } = await client.stats();
    expect(counts).to.deep.equal({
      status: 'ok',
      locks: 1,
      permits: 0,
      holders: 1,
      waiting: 0,
      sessions: 1,
      openConnections: 1,
      grants: 1,
      releases: 0,
      timeouts: 0,
      cancelled: 0,
      expiredLeases: 0,
      deadlocks: 0,
      forced: 0,
      stolen: 0,
      orphans: 0,
      permitOrphans: 0,
      connections: 1,
      invalidRequests: 0,
      unknownCommands: 0,
      failedRequests: 0,
    });
    expect(requests).to.include({ lock: 1, hello: 1, stats: 1, unlock: 0 });
    expect(refusals).to.include({ allowList: 0, origin: 0, maxLocks: 0 });
    expect(uptimeMs).to.be.a('number');
  });

  it('is an error of the code invalid when the question is wrong', async () => {
    const client = await (await startServer()).client();
    for (const wrong of [client.inspect(5 as unknown as string), client.list({ max: 0 })]) {
      const error = await rejection(wrong);
      expect(error).to.be.instanceOf(LockError).and.include({ code: 'invalid' });
      expect((error as LockError).message).to.match(/^(inspect|list) was refused: parameters\.\w+ is \d; expected/);
    }
  });

  it('is right for every odd name', async () => {
    const server = await startServer();
    const [client, other] = [await server.client(), await server.client()];
    for (const name of ODD_NAMES) {
      const handle = await client.lock(name);
      expect(handle.name).to.equal(name);
      const told = await other.inspect(name);
      expect(told.lockName).to.equal(name);
      expect(told.holders[0]?.token, JSON.stringify(name)).to.equal(handle.token);
    }
    const { locks } = await other.list({ max: 1_000 });
    expect(locks.map(({ lockName }) => lockName)).to.deep.equal(inListOrder(ODD_NAMES));
    for (const name of ODD_NAMES) expect(await other.tryLock(name), JSON.stringify(name)).to.equal(null);
    expect(await client.rpc('unlockAll')).to.include({ released: ODD_NAMES.length });
    expect(await other.list()).to.deep.equal({ status: 'ok', locks: [] });
  });

  it('is right for odd names of clients', async () => {
    const server = await startServer();
    const asking = await server.client();
    for (const name of ODD_NAMES.filter((odd) => odd !== '' && odd.length < 50)) {
      const client = await server.client({ name });
      expect((await client.rpc('whoami')).name).to.equal(name);
      expect((await asking.rpc('who', { name })).clients).to.deep.equal([
        { address: (await client.rpc('whoami')).address, name },
      ]);
      await client.close();
    }
  });

  it('by rpc: the result, whatever its status', async () => {
    const client = await (await startServer()).client();
    expect(await client.rpc('unlock', { lockName: 'a' })).to.deep.equal({ status: 'notHeld' });
    expect(await client.rpc('nothing')).to.deep.equal({
      status: 'unknownCommand',
      message: 'command is "nothing"',
    });
    expect(await client.rpc('lock')).to.include({ status: 'invalid' });
  });

  it('by rpc: an error when the message is too long, and the connection is closed', async () => {
    const server = await startServer({ maxMessageBytes: 1_000 });
    const client = await server.client();
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    const error = await rejection(client.rpc('ping', { filler: 'x'.repeat(1_000) }));
    expect(error).to.be.instanceOf(MessageError).and.include({ code: 'connectionLost' });
    expect(errors.map(({ message }) => message)).to.deep.equal(['a message is longer than maxMessageBytes, 1000']);
  });
});
