import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { WatchedLockServer } from '../../lib/testing/watched-lock-server.ts';
import { memory } from '../../lib/transports/memory.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';

describe('WatchedLockServer', () => {
  afterEach(endTest);

  it('tells when a session has ended, at once if there is none', async () => {
    const server = new WatchedLockServer();
    whenTestEnds(() => server.close());
    const listener = memory();
    await server.listen(listener);
    const client = await LockClient.connect({ dial: listener.dial });
    whenTestEnds(() => client.close());
    await server.untilEnded('memory:2');
    let isEnded = false;
    const ended = server.untilEnded('memory:1').then(() => {
      isEnded = true;
    });
    await client.stats();
    expect(isEnded).to.equal(false);
    await client.close();
    await ended;
    await server.untilEnded('memory:1');
  });
});
