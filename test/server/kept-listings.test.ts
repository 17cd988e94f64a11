import { expect } from 'chai';
import type { LockPage } from '../../lib/protocol.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import type { NamesRequest, Pages } from '../../lib/server/lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server.ts';
import { endTest } from './clean-up.ts';
import type { Message, RawClient } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

/** Counts how many listings are begun. */
class CountingManager extends LocalLockManager {
  begun = 0;

  override list(request: NamesRequest): Pages<LockPage> {
    this.begun += 1;
    return super.list(request);
  }
}

describe('the listing of a client', () => {
  let manager: CountingManager;
  let server: RunningServer;

  beforeEach(async () => {
    const limits = { ...DEFAULT_LOCK_SERVER_LIMITS, maxKeptListings: 2 };
    manager = new CountingManager({ limits });
    server = await startServer(limits, undefined, { manager });
    const holder = await server.connect();
    for (const name of 'abcdef') await holder.take(name);
  });
  afterEach(endTest);

  async function page(client: RawClient, parameters: object): Promise<unknown[]> {
    const { locks } = await client.ask('list', { max: 2, ...parameters });
    return (locks as Message[]).map(({ lockName }) => lockName);
  }

  it('goes on from page to page', async () => {
    const client = await server.connect();
    expect(await page(client, {})).to.deep.equal(['a', 'b']);
    expect(await page(client, { after: 'b' })).to.deep.equal(['c', 'd']);
    expect(await page(client, { after: 'd' })).to.deep.equal(['e', 'f']);
    expect(manager.begun).to.equal(1);
  });

  it('goes on beside that of another client', async () => {
    const [one, other] = await server.connectTwo();
    for (const after of [{}, { after: 'b' }, { after: 'd' }]) {
      expect(await page(one, after)).to.deep.equal(await page(other, after));
    }
    expect(manager.begun).to.equal(2);
  });

  it('begins anew where another page is asked for than the next', async () => {
    const client = await server.connect();
    await page(client, {});
    expect(await page(client, { after: 'a' })).to.deep.equal(['b', 'c']);
    expect(await page(client, { after: 'c', prefix: 'e' })).to.deep.equal(['e']);
    expect(await page(client, {})).to.deep.equal(['a', 'b']);
    expect(manager.begun).to.equal(4);
  });

  it('begins anew when maxKeptListings others have begun one since', async () => {
    const [one, two, three] = await server.connectThree();
    for (const client of [one, two, three]) await page(client, {});
    expect(await page(three, { after: 'b' })).to.deep.equal(['c', 'd']);
    expect(manager.begun).to.equal(3);
    expect(await page(one, { after: 'b' })).to.deep.equal(['c', 'd']);
    expect(manager.begun).to.equal(4);
  });
});
