import { expect } from 'chai';
import { LockUnreachableError } from '../../lib/client/lock-error.ts';
import { endTest } from '../server/clean-up.ts';
import type { RunningServer } from '../server/running-server.ts';
import { startWithList } from '../sessions/session-scene.ts';
import { rejection } from '../support/rejection.ts';

/** Fails the test when it runs without a lock. */
function mustNotRun(): never {
  throw new Error('ran without a lock');
}

async function expectUnreachable(call: Promise<unknown>, text: string): Promise<void> {
  const error = await rejection(call);
  expect(error).to.be.instanceOf(LockUnreachableError);
  expect(error).to.include({ code: 'unreachable' }).and.property('message').includes(text);
}

describe('a client whose session cannot be recorded', () => {
  const CANNOT_RECORD = 'the server cannot record the session';
  let server: RunningServer;
  let isFull: boolean;

  beforeEach(async () => {
    isFull = true;
    server = await startWithList({
      add: () => (isFull ? Promise.reject(new Error('the disk is full')) : undefined),
    });
  });
  afterEach(endTest);

  it('is told so, whatever it asks for, and runs nothing without its lock', async () => {
    const client = await server.client();
    await expectUnreachable(client.lock('a'), `the lock "a" was not granted: ${CANNOT_RECORD}`);
    await expectUnreachable(client.tryLock('a'), CANNOT_RECORD);
    await expectUnreachable(client.lockAll(['a', 'b']), `the locks "a", "b" were not granted: ${CANNOT_RECORD}`);
    await expectUnreachable(client.tryLockAll(['a', 'b']), CANNOT_RECORD);
    await expectUnreachable(client.locked('a', mustNotRun), CANNOT_RECORD);
    await expectUnreachable(client.tryLocked('a', mustNotRun), CANNOT_RECORD);
    await expectUnreachable(client.locks.request('a', mustNotRun), CANNOT_RECORD);
    await expectUnreachable(client.locks.request('a', { ifAvailable: true }, mustNotRun), CANNOT_RECORD);
  });

  it('goes on standing for election until it can be', async () => {
    const client = await server.client();
    const terms = client.terms('leader');
    const term = terms.next();
    await client.rpc('ping');
    isFull = false;
    expect((await term).value).to.include({ name: 'leader', isHeld: true });
    await terms.return();
  });
});

describe('a client of a server that waits for the clients of before', () => {
  let server: RunningServer;

  beforeEach(async () => {
    server = await startWithList({ atStart: [{ id: 'before', secretHash: '', timeoutMs: 3_600_000 }] });
  });
  afterEach(endTest);

  it('steals nothing, and runs nothing without its lock', async () => {
    const client = await server.client();
    const why = 'the server was started again and waits for the clients of before';
    await expectUnreachable(client.locks.request('a', { steal: true }, mustNotRun), why);
    await expectUnreachable(client.lock('a', { steal: true }), `the lock "a" was not granted: ${why}`);
  });

  it('is told that a lock is not free when it does not wait', async () => {
    const client = await server.client();
    expect(await client.tryLock('a')).to.equal(null);
    expect(await client.locks.request('a', { ifAvailable: true }, (lock) => lock)).to.equal(null);
  });
});
