import { expect } from 'chai';
import type { LockPage } from '../../lib/protocol.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import type { NamesRequest, Pages } from '../../lib/server/lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { endTest } from './clean-up.ts';
import { inListOrder, numbered, ODD_NAMES } from './odd-names.ts';
import type { Message, RawClient } from './raw-client.ts';
import { type RunningServer, serverForEachTest, startServer } from './running-server.ts';

describe('the list command', () => {
  const server = serverForEachTest();

  it('shows nothing when nothing is held', async () => {
    const client = await server.connect();
    expect(await client.ask('list')).to.deep.equal({ status: 'ok', locks: [] });
    await client.take('jobs');
    await client.ask('unlock', { lockName: 'jobs' });
    expect(await client.ask('list')).to.deep.equal({ status: 'ok', locks: [] });
  });

  it('shows each lock as inspect does', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.take('jobs', { owner: 'x' });
    await waiter.queue(1, 'jobs');
    const { locks } = await holder.ask('list');
    expect(locks).to.have.lengthOf(1);
    const [listed] = locks as [Message];
    const { status, ...inspected } = await holder.ask('inspect', { lockName: 'jobs' });
    expect(status).to.equal('ok');
    expect(withoutTimes(listed)).to.deep.equal(withoutTimes(inspected));
    expect(listed).to.include({ lockName: 'jobs', holderCount: 1, waiterCount: 1 });
  });

  it('shows a name once if its lock and its permit are held', async () => {
    const client = await server.connect();
    await client.take('jobs');
    await client.take('jobs', { mode: 'permit' });
    const { locks } = await client.ask('list');
    expect(locks).to.have.lengthOf(1).and.to.have.nested.property('[0].holderCount', 2);
  });

  it('pages through odd names to the end, in order of their bytes', async () => {
    const client = await server.connect();
    for (const name of ODD_NAMES) await client.take(name);
    const expected = inListOrder(ODD_NAMES);
    expect(namesOf(await client.ask('list'))).to.deep.equal(expected);
    for (const max of [1, 2, 7, ODD_NAMES.length - 1, ODD_NAMES.length, ODD_NAMES.length + 1]) {
      const pages = await allPages(client, { max });
      expect(pages.flat(), `${max} a page`).to.deep.equal(expected);
      expect(pages.map(({ length }) => length)).to.deep.equal(pageLengths(ODD_NAMES.length, max));
    }
  });

  it('has 100 names on a page by default', async () => {
    const client = await server.connect();
    await client.takeMany(numbered(250));
    const pages = await allPages(client, {});
    expect(pages.map(({ length }) => length)).to.deep.equal([100, 100, 50]);
    expect(new Set(pages.flat()).size).to.equal(250);
  });

  it('never shows more holders and waiters on a page than maxPageEntries', async () => {
    const client = await (await startServer({ maxPageEntries: 10 })).connect();
    for (let owner = 0; owner < 4; owner += 1) {
      for (const lockName of ['a', 'b', 'c', 'd', 'e']) {
        await client.take(lockName, { mode: 'shared', owner: `${owner}` });
      }
    }
    expect(await allPages(client, { max: 10_000 })).to.deep.equal([['a', 'b'], ['c', 'd'], ['e']]);
    await client.takeMany(numbered(25));
    const pages = await allPages(client, { prefix: 'lock', max: 10_000 });
    expect(pages.map(({ length }) => length)).to.deep.equal([10, 10, 5]);
  });

  it('shows a lock with more holders or waiters than that alone, and as many of each', async () => {
    const [holder, waiter] = await (await startServer({ maxPageEntries: 10 })).connectTwo();
    for (let owner = 0; owner < 12; owner += 1) await holder.take('hot', { mode: 'shared', owner: `${owner}` });
    for (let owner = 0; owner < 12; owner += 1) await waiter.queue(owner, 'hot', { owner: `${owner}` });
    await holder.take('other');
    const { locks, next } = await holder.ask('list');
    expect(next).to.equal('hot');
    const [hot] = locks as [Message];
    expect(hot).to.include({ lockName: 'hot', holderCount: 12, waiterCount: 12 });
    expect([hot.holders, hot.waiters].map((each) => (each as unknown[]).length)).to.deep.equal([10, 10]);
  });

  it('ends a page before it is longer than maxPageBytes', async () => {
    const client = await (await startServer({ maxPageBytes: 10_000 })).connect();
    const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(4_000));
    for (const name of names) await client.take(name);
    expect(await allPages(client, {})).to.deep.equal([names.slice(0, 2), names.slice(2, 4), names.slice(4)]);
    await client.take('f'.repeat(20_000));
    expect((await allPages(client, { prefix: 'f' })).flat()).to.deep.equal(['f'.repeat(20_000)]);
  });

  it('shows names that begin with the prefix', async () => {
    const client = await server.connect();
    for (const name of ['app', 'app/', 'app/1', 'app/2', 'App/3', 'ap', 'apq', '']) await client.take(name);
    expect(namesOf(await client.ask('list', { prefix: 'app' }))).to.deep.equal(['app', 'app/', 'app/1', 'app/2']);
    expect(namesOf(await client.ask('list', { prefix: 'app/' }))).to.deep.equal(['app/', 'app/1', 'app/2']);
    expect(namesOf(await client.ask('list', { prefix: 'x' }))).to.deep.equal([]);
    expect(await allPages(client, { prefix: 'app', max: 3 })).to.deep.equal([['app', 'app/', 'app/1'], ['app/2']]);
  });

  it('begins after a name, even if that name does not exist', async () => {
    const client = await server.connect();
    for (const name of ['a', 'b', 'd']) await client.take(name);
    expect(namesOf(await client.ask('list', { after: 'a' }))).to.deep.equal(['b', 'd']);
    expect(namesOf(await client.ask('list', { after: 'c' }))).to.deep.equal(['d']);
    expect(namesOf(await client.ask('list', { after: 'd' }))).to.deep.equal([]);
  });

  it('shows names that stay while others come and go between the pages', async () => {
    const client = await server.connect();
    for (const name of ['a', 'b', 'c', 'd']) await client.take(name);
    const first = await client.ask('list', { max: 2 });
    expect(first.next).to.equal('b');
    await client.ask('unlock', { lockName: 'b' });
    await client.take('aa');
    await client.take('cc');
    expect(namesOf(await client.ask('list', { max: 9, after: first.next }))).to.deep.equal(['c', 'cc', 'd']);
  });

  it('serves others in between, even if one client asks for very many at once', async () => {
    const [asking, bystander] = await server.connectTwo();
    await asking.takeMany(numbered(5_000));
    const lists = 1_000;
    asking.send(...Array.from({ length: lists }, (_, id) => ({ command: 'list', parameters: { max: 1 }, id })));
    await asking.next();
    expect(await bystander.ask('ping')).to.deep.equal({ status: 'ok' });
    expect(asking.unreadCount).to.be.lessThan(lists - 1);
    await asking.nextMany(lists - 1);
  });

  it('sorts long names that differ only at their ends', async () => {
    const client = await server.connect();
    const ends = ['\u{1f600}', '\uffff', 'a', '\ud800', '\udc80', '\u{1f601}', ''];
    for (const end of ends) await client.take('x'.repeat(59_000) + end);
    const listed = (await allPages(client, { max: 2 })).flat() as string[];
    // By the bytes of their encoded forms: 61, 80, ED.., EF.., F0...
    const sorted = ['', 'a', '\udc80', '\ud800', '\uffff', '\u{1f600}', '\u{1f601}'];
    expect(listed.map((name) => name.slice(59_000))).to.deep.equal(sorted);
  });
});

/** Counts the listings that begin. */
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
    return namesOf(await client.ask('list', { max: 2, ...parameters }));
  }

  it('goes on from page to page', async () => {
    const client = await server.connect();
    expect(await page(client, {})).to.deep.equal(['a', 'b']);
    expect(await page(client, { after: 'b' })).to.deep.equal(['c', 'd']);
    expect(await page(client, { after: 'd' })).to.deep.equal(['e', 'f']);
    expect(manager.begun).to.equal(1);
  });

  it('goes on beside a listing of another client', async () => {
    const [one, other] = await server.connectTwo();
    for (const after of [{}, { after: 'b' }, { after: 'd' }]) {
      expect(await page(one, after)).to.deep.equal(await page(other, after));
    }
    expect(manager.begun).to.equal(2);
  });

  it('begins again when the client asks for another page than the next', async () => {
    const client = await server.connect();
    await page(client, {});
    expect(await page(client, { after: 'a' })).to.deep.equal(['b', 'c']);
    expect(await page(client, { after: 'c', prefix: 'e' })).to.deep.equal(['e']);
    expect(await page(client, {})).to.deep.equal(['a', 'b']);
    expect(manager.begun).to.equal(4);
  });

  it('begins again when maxKeptListings other clients have begun one since', async () => {
    const [one, two, three] = await server.connectThree();
    for (const client of [one, two, three]) await page(client, {});
    expect(await page(three, { after: 'b' })).to.deep.equal(['c', 'd']);
    expect(manager.begun).to.equal(3);
    expect(await page(one, { after: 'b' })).to.deep.equal(['c', 'd']);
    expect(manager.begun).to.equal(4);
  });
});

function namesOf(page: Message): unknown[] {
  return (page.locks as Message[]).map(({ lockName }) => lockName);
}

async function allPages(client: RawClient, parameters: object): Promise<unknown[][]> {
  const pages: unknown[][] = [];
  let after = {};
  for (;;) {
    const page = await client.ask('list', { ...parameters, ...after });
    expect(page.status).to.equal('ok');
    pages.push(namesOf(page));
    if (page.next === undefined) return pages;
    after = { after: page.next };
  }
}

function pageLengths(total: number, max: number): number[] {
  const full = Array.from({ length: Math.floor(total / max) }, () => max);
  return total % max === 0 ? full : [...full, total % max];
}

function withoutTimes(view: Message): unknown {
  return JSON.parse(JSON.stringify(view), (key, value) => (/^(held|waited)Ms$/.test(key) ? undefined : value));
}
