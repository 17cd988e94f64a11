import { expect } from 'chai';
import { serverForEachTest } from './running-server.ts';

/** Short enough to wait for. */
const SHORT = 0.03;

describe('leases', () => {
  const server = serverForEachTest();

  it('free the lock at their end, and tell its holder', async () => {
    const client = await server.connect();
    await client.take('jobs', { lease: SHORT });
    expect(await client.next()).to.deep.equal(lost('jobs'));
    expect(await client.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'notHeld' });
    expect(await client.ask('stats')).to.include({ locks: 0, holders: 0, expiredLeases: 1, releases: 0, orphans: 0 });
  });

  it('name the owner and the mode of the lost lock', async () => {
    const client = await server.connect();
    await client.take('jobs', { lease: SHORT, owner: 'a', mode: 'permit', limit: 1 });
    expect(await client.next()).to.deep.equal({ ...lost('jobs'), mode: 'permit', owner: 'a' });
    await client.take('jobs', { lease: SHORT, mode: 'shared' });
    expect(await client.next()).to.deep.equal({ ...lost('jobs'), mode: 'shared', token: 2 });
  });

  function lost(lockName: string) {
    return { event: 'lost', lockName, mode: 'exclusive', owner: '', token: 1, reason: 'lease' };
  }
});
