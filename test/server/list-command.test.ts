import { expect } from 'chai';
import { endTest } from './clean-up.ts';
import { inListOrder, numbered, ODD_NAMES } from './odd-names.ts';
import type { Message, RawClient } from './raw-client.ts';
import { startServer } from './running-server.ts';

describe('the list command', () => {
  afterEach(endTest);

  it('tells of nothing when nothing is held', async () => {
    const client = await (await startServer()).connect();
    expect(await client.ask('list')).to.deep.equal({ status: 'ok', locks: [] });
    await client.take('jobs');
    await client.ask('unlock', { lockName: 'jobs' });
    expect(await client.ask('list')).to.deep.equal({ status: 'ok', locks: [] });
  });

  it('tells of each lock what inspect tells', async () => {
    const [holder, waiter] = await (await startServer()).connectTwo();
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

  it('tells a name once whose lock and permit are both held', async () => {
    const client = await (await startServer()).connect();
    await client.take('jobs');
    await client.take('jobs', { mode: 'permit' });
    const { locks } = await client.ask('list');
    expect(locks).to.have.lengthOf(1).and.to.have.nested.property('[0].holderCount', 2);
  });

  it('pages to the end through odd names, in the order of their bytes', async () => {
    const client = await (await startServer()).connect();
    for (const name of ODD_NAMES) await client.take(name);
    const expected = inListOrder(ODD_NAMES);
    expect(namesOf(await client.ask('list'))).to.deep.equal(expected);
    for (const max of [1, 2, 7, ODD_NAMES.length - 1, ODD_NAMES.length, ODD_NAMES.length + 1]) {
      const pages = await allPages(client, { max });
      expect(pages.flat(), `${max} a page`).to.deep.equal(expected);
      expect(pages.map(({ length }) => length)).to.deep.equal(pageLengths(ODD_NAMES.length, max));
    }
  });

  it('has 100 names a page without being asked for a number', async () => {
    const client = await (await startServer()).connect();
    await client.takeMany(numbered(250));
    const pages = await allPages(client, {});
    expect(pages.map(({ length }) => length)).to.deep.equal([100, 100, 50]);
    expect(new Set(pages.flat()).size).to.equal(250);
  });

  it('has no further page when the last is exactly full', async () => {
    const client = await (await startServer()).connect();
    await client.takeMany(numbered(100));
    expect(await client.ask('list')).to.not.have.property('next');
    expect((await client.ask('list')).locks).to.have.lengthOf(100);
  });

  it('never tells of more holders and waiters in a page than maxPageEntries', async () => {
    const server = await startServer({ maxPageEntries: 10 });
    const client = await server.connect();
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

  it('ends a page that becomes longer than maxPageBytes', async () => {
    const server = await startServer({ maxPageBytes: 10_000 });
    const client = await server.connect();
    const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(4_000));
    for (const name of names) await client.take(name);
    expect(await allPages(client, {})).to.deep.equal([names.slice(0, 2), names.slice(2, 4), names.slice(4)]);
    await client.take('f'.repeat(20_000));
    expect((await allPages(client, { prefix: 'f' })).flat()).to.deep.equal(['f'.repeat(20_000)]);
  });

  it('tells of names that begin with the prefix', async () => {
    const client = await (await startServer()).connect();
    for (const name of ['app', 'app/', 'app/1', 'app/2', 'App/3', 'ap', 'apq', '']) await client.take(name);
    expect(namesOf(await client.ask('list', { prefix: 'app' }))).to.deep.equal(['app', 'app/', 'app/1', 'app/2']);
    expect(namesOf(await client.ask('list', { prefix: 'app/' }))).to.deep.equal(['app/', 'app/1', 'app/2']);
    expect(namesOf(await client.ask('list', { prefix: 'x' }))).to.deep.equal([]);
    expect(await allPages(client, { prefix: 'app', max: 3 })).to.deep.equal([['app', 'app/', 'app/1'], ['app/2']]);
  });

  it('begins behind a name that need not exist', async () => {
    const client = await (await startServer()).connect();
    for (const name of ['a', 'b', 'd']) await client.take(name);
    expect(namesOf(await client.ask('list', { after: 'a' }))).to.deep.equal(['b', 'd']);
    expect(namesOf(await client.ask('list', { after: 'c' }))).to.deep.equal(['d']);
    expect(namesOf(await client.ask('list', { after: 'd' }))).to.deep.equal([]);
  });

  it('shows names that stay while others come and go between the pages', async () => {
    const client = await (await startServer()).connect();
    for (const name of ['a', 'b', 'c', 'd']) await client.take(name);
    const first = await client.ask('list', { max: 2 });
    expect(first.next).to.equal('b');
    await client.ask('unlock', { lockName: 'b' });
    await client.take('aa');
    await client.take('cc');
    expect(namesOf(await client.ask('list', { max: 9, after: first.next }))).to.deep.equal(['c', 'cc', 'd']);
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
