import { expect } from 'chai';
import type { Message } from './raw-client.ts';
import { type RunningServer, serverForEachTest } from './running-server.ts';

describe('the command survey', () => {
  const running: RunningServer = serverForEachTest({ maxPageBytes: 2_000, maxLocks: 100 });

  it('tells the longest waits and holds, the longest first, and what is used of the limits', async () => {
    const [anna, ben] = await running.connectTwo();
    await anna.ask('identify', { name: 'anna' });
    for (const lockName of ['a', 'b', 'c']) await anna.take(lockName);
    await anna.take('p', { mode: 'permit' });
    await ben.queue(1, 'b', { mode: 'shared' });
    await ben.queue(2, 'a');
    const { status, ageMs, holders, waiters, longestWaits, longestHolds, usage } = await ben.ask('survey', { max: 3 });
    expect([status, ageMs]).to.deep.equal(['ok', 0]);
    expect(holders).to.deep.equal({ exclusive: 3, shared: 0, permit: 1 });
    expect(waiters).to.deep.equal({ exclusive: 1, shared: 1, permit: 0 });
    const namesOf = (entries: unknown): unknown[] => (entries as Message[]).map(({ lockName }) => lockName);
    expect(namesOf(longestHolds)).to.have.lengthOf(3).and.have.members(['a', 'b', 'c']);
    expect(namesOf(longestWaits)).to.have.members(['a', 'b']);
    const [hold] = longestHolds as Message[];
    expect(hold).to.include({ name: 'anna', mode: 'exclusive' }).and.have.keys(KEYS_OF_HOLD);
    expect((longestWaits as Message[])[0]).to.have.keys(KEYS_OF_WAIT);
    expect(usage).to.deep.include({ limit: 'maxLocks', used: 4, max: 100 });
  });

  it('tells no more than a page takes', async () => {
    const client = await running.connect();
    for (const digit of '12345678') await client.take(digit.repeat(200));
    expect((await client.ask('survey')).longestHolds).to.have.lengthOf(2);
  });

  it('tells the first one however long its name is', async () => {
    const client = await running.connect();
    await client.take('x'.repeat(5_000));
    expect((await client.ask('survey')).longestHolds).to.have.lengthOf(1);
  });
});

const KEYS_OF_HOLD = ['lockName', 'owner', 'name', 'address', 'mode', 'token', 'heldMs'];
const KEYS_OF_WAIT = ['lockName', 'owner', 'name', 'address', 'mode', 'position', 'waitedMs'];
