import { expect } from 'chai';
import { LockClosedError } from '../../lib/client/lock-error.ts';
import { endTest } from '../server/clean-up.ts';
import { rejects } from '../support/rejection.ts';
import { emitted, lazyClient } from './client-scene.ts';

function timerCount(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

describe('a client that closes before its next attempt to connect', () => {
  afterEach(endTest);

  it('makes no further attempt, and leaves no timer behind', async () => {
    // Mocha starts a timer of its own once the test waits.
    await Promise.resolve();
    const before = timerCount();
    const client = lazyClient({ dial: () => Promise.reject(new Error('nobody is there')) });
    const failed = emitted(client, 'error');
    const asked = rejects(client.lock('jobs'), LockClosedError);
    await failed;
    expect([client.state, timerCount() > before]).to.deep.equal(['reconnecting', true]);
    await client.close();
    await asked;
    expect(timerCount()).to.equal(before);
  });
});
