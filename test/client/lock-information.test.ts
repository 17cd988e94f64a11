import { expect } from 'chai';
import { LockInvalidError } from '../../lib/client/lock-error.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { inListOrder, ODD_NAMES } from '../server/odd-names.ts';
import { startServer } from '../server/running-server.ts';
import { rejects } from '../support/rejection.ts';
import { client, clientScene, other, server } from './client-scene.ts';

const NOBODY = { status: 'ok', holderCount: 0, waiterCount: 0, holders: [], waiters: [] };

describe('information about locks', () => {
  clientScene({ client: { name: 'Ann' } });

  it('from verify tells whether a lock is still held with a token', async () => {
    const handle = await client.lock('jobs');
    expect(await other.verify('jobs', handle.token)).to.equal('current');
    await handle.release();
    expect(await other.verify('jobs', handle.token)).to.equal('superseded');
    expect(await other.verify('jobs', handle.token + 1)).to.equal('unknown');
  });

  it('from inspect names the holders and the waiters of a lock', async () => {
    const handle = await client.lock('jobs');
    const waiting = other.lock('jobs');
    await other.rpc('ping');
    const { holders, waiters, ...counts } = await other.inspect('jobs');
    expect(counts).to.deep.equal({ status: 'ok', lockName: 'jobs', holderCount: 1, waiterCount: 1 });
    expect(holders).to.have.lengthOf(1);
    expect(holders[0]).to.have.all.keys('owner', 'name', 'address', 'mode', 'token', 'heldMs');
    expect(holders[0]).to.include({ owner: handle.owner, name: 'Ann', mode: 'exclusive', token: handle.token });
    expect(holders[0]?.address).to.equal((await client.rpc('whoami')).address);
    expect(holders[0]?.heldMs).to.be.a('number');
    expect(waiters).to.have.lengthOf(1);
    expect(waiters[0]).to.have.all.keys('owner', 'name', 'address', 'mode', 'waitedMs', 'position');
    expect(waiters[0]?.position).to.equal(1);
    expect(waiters[0]?.address).to.equal((await other.rpc('whoami')).address);
    await handle.release();
    await (await waiting).release();
    expect(await other.inspect('jobs')).to.deep.equal({ ...NOBODY, lockName: 'jobs' });
  });

  it('from list covers all locks, in pages', async () => {
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

  it('from stats is a set of counts', async () => {
    await client.lock('a');
    const { requests, notOk, refusals, uptimeMs, tableBytes, ...counts } = await client.stats();
    const expected = { locks: 1, holders: 1, grants: 1, sessions: 2, connections: 2, openConnections: 2 };
    const counted = Object.entries(counts).filter(([, count]) => count !== 0);
    expect(Object.fromEntries(counted)).to.deep.equal({ status: 'ok', ...expected });
    expect(counts).to.include.all.keys(
      ...['permits', 'permitOrphans', 'orphans', 'releases', 'waiting', 'timeouts', 'cancelled', 'deadlocks'],
      ...['expiredLeases', 'forced', 'stolen', 'invalidRequests', 'unknownCommands', 'failedRequests'],
    );
    expect(requests).to.include({ lock: 1, hello: 2, stats: 1, unlock: 0 });
    expect(notOk).to.deep.equal({});
    expect(refusals).to.include({ allowList: 0, origin: 0, maxLocks: 0 });
    expect(uptimeMs).to.be.a('number');
    expect(tableBytes).to.be.a('number').above(0);
  });

  it('is an error of the code invalid when the question is wrong', async () => {
    for (const wrong of [client.inspect(5 as unknown as string), client.verify('jobs', 1.5), client.list({ max: 0 })]) {
      await rejects(wrong, LockInvalidError, /^(inspect|verify|list) was refused: parameters\.\w+ is [\d.]+; expected/);
    }
  });

  it('is right for every odd name', async () => {
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
    for (const name of ODD_NAMES.filter((odd) => odd !== '' && odd.length < 50)) {
      const named = await server.client({ name });
      const { name: told, address } = await named.rpc('whoami');
      expect(told).to.equal(name);
      expect((await other.rpc('who', { name })).clients).to.deep.equal([{ address, name }]);
      await named.close();
    }
  });

  it('from rpc is the result, whatever its status', async () => {
    expect(await client.rpc('unlock', { lockName: 'a' })).to.deep.equal({ status: 'notHeld' });
    const unknown = { status: 'unknownCommand', message: 'command is "nothing"' };
    expect(await client.rpc('nothing')).to.deep.equal(unknown);
    expect(await client.rpc('lock')).to.include({ status: 'invalid' });
  });

  it('from rpc is an error when the message is too long, and the connection is closed', async () => {
    const asking = await (await startServer({ maxMessageBytes: 1_000 })).client();
    const errors: Error[] = [];
    asking.on('error', (error) => errors.push(error));
    const asked = asking.rpc('ping', { filler: 'x'.repeat(1_000) });
    await rejects(asked, MessageError, { code: 'connectionLost' });
    expect(errors.map(({ message }) => message)).to.deep.equal(['a message is longer than maxMessageBytes, 1000']);
  });
});
