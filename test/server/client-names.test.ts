import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { NameRegistry } from '../../lib/server/name-registry.ts';
import { LockServerSession } from '../../lib/server/session.ts';
import { closeStreams, connectionThat } from '../support/connection-by-hand.ts';
import { bytesKeptBy } from '../support/garbage.ts';
import { addressOf, type Message, type RawClient } from './raw-client.ts';
import { serverForEachTest, startServer } from './running-server.ts';

describe('the names of clients', () => {
  const server = serverForEachTest();

  it('are empty at first', async () => {
    const client = await server.connect();
    expect(await client.ask('whoami')).to.deep.equal({ status: 'ok', address: addressOf(client), name: '' });
    expect(await client.ask('who')).to.deep.equal({ status: 'ok', clients: [] });
  });

  it('are shown to the client and to others', async () => {
    const [client, other] = await server.connectTwo();
    expect(await client.ask('identify', { name: 'Ann' })).to.deep.equal({ status: 'ok' });
    expect(await client.ask('whoami')).to.deep.equal({ status: 'ok', address: addressOf(client), name: 'Ann' });
    const clients = [{ address: addressOf(client), name: 'Ann' }];
    expect(await other.ask('who')).to.deep.equal({ status: 'ok', clients });
  });

  it('are listed in order of registration, and registering again moves a client to the end', async () => {
    const [first, second, third] = await server.connectThree();
    await third.ask('identify', { name: 'c' });
    await first.ask('identify', { name: 'a' });
    await second.ask('identify', { name: 'b' });
    expect(await namesTold(first)).to.deep.equal(['c', 'a', 'b']);
    await third.ask('identify', { name: 'c' });
    expect(await namesTold(first)).to.deep.equal(['a', 'b', 'c']);
    await first.ask('identify', { name: 'x' });
    expect(await namesTold(first)).to.deep.equal(['b', 'c', 'x']);
  });

  it('take no more memory, however often a client registers', () => {
    const registry = new NameRegistry();
    const session = new LockServerSession(
      connectionThat(() => {}).connection,
      new LocalLockManager({ limits: DEFAULT_LOCK_SERVER_LIMITS }),
      false,
    );
    const keptBytes = bytesKeptBy(() => {
      for (let time = 0; time < 100_000; time += 1) registry.register(session, 'Ann');
    });
    expect(registry.page(undefined, 0, 10).clients).to.have.length(1);
    expect(keptBytes).to.be.lessThan(1_000_000);
    closeStreams();
  });

  it('are cleared by the empty name', async () => {
    const client = await server.connect();
    await client.ask('identify', { name: 'Ann' });
    expect(await client.ask('identify', { name: '' })).to.deep.equal({ status: 'ok' });
    expect(await client.ask('whoami')).to.include({ name: '' });
    expect(await namesTold(client)).to.deep.equal([]);
  });

  it('are forgotten when their clients disconnect', async () => {
    const [leaver, stayer] = await server.connectTwo();
    await leaver.ask('identify', { name: 'a' });
    await stayer.ask('identify', { name: 'b' });
    await leaver.leave();
    expect(await namesTold(stayer)).to.deep.equal(['b']);
  });

  it('are listed page by page to the end', async () => {
    const clients = await server.connectMany(7);
    for (const [index, client] of clients.entries()) await client.ask('identify', { name: `${index}` });
    const asking = clients[0] as RawClient;
    const pages: unknown[][] = [];
    let page: Message = { next: 0 };
    while (page.next !== undefined) {
      page = await asking.ask('who', { max: 3, after: page.next });
      pages.push((page.clients as Message[]).map(({ name }) => name));
    }
    expect(pages).to.deep.equal([['0', '1', '2'], ['3', '4', '5'], ['6']]);
    expect(await asking.ask('who', { max: 7 })).to.not.have.property('next');
  });

  it('can be asked for, and all clients of that name are listed', async () => {
    const clients = await server.connectThree();
    for (const client of clients) await client.ask('identify', { name: client === clients[1] ? 'other' : 'same' });
    const same = [clients[0], clients[2]].map((client) => ({ address: addressOf(client), name: 'same' }));
    const { clients: shown } = await clients[0].ask('who', { name: 'same' });
    expect(shown).to.deep.equal(same);
    const first = await clients[0].ask('who', { name: 'same', max: 1 });
    const second = await clients[0].ask('who', { name: 'same', max: 1, after: first.next });
    expect(second.clients).to.deep.equal(same.slice(1));
  });

  it('are listed in pages of at most maxPageEntries', async () => {
    const small = await startServer({ maxPageEntries: 2 });
    const clients = await small.connectThree();
    for (const client of clients) await client.ask('identify', { name: 'x' });
    const { clients: told, next } = await clients[0].ask('who', { max: 100 });
    expect(told).to.have.lengthOf(2);
    expect(next).to.be.a('number');
  });

  async function namesTold(client: RawClient): Promise<unknown[]> {
    return ((await client.ask('who')).clients as Message[]).map(({ name }) => name);
  }
});

describe('the ping command', () => {
  const server = serverForEachTest();

  it('answers ok, and nothing without an id', async () => {
    const client = await server.connect();
    client.write('{"command":"ping"}\n{"command":"ping","id":null}\n{"command":"ping","parameters":{},"id":"x"}\n');
    expect(await client.next()).to.deep.equal({ id: 'x', result: { status: 'ok' } });
    expect((await client.ask('stats')).requests).to.include({ ping: 3 });
  });
});

describe('the hello command', () => {
  const server = serverForEachTest();

  it('describes the server and its limits', async () => {
    const client = await (await startServer({ maxNameBytes: 77 })).connect();
    const { epoch, lineage, ...rest } = await client.ask('hello', { protocol: 1 });
    const packageFile = new URL('../../../package.json', import.meta.url);
    const limits: Record<string, number> = { ...DEFAULT_LOCK_SERVER_LIMITS, maxNameBytes: 77 };
    const told = [
      ...[
        'maxMessageBytes',
        'maxMessageValues',
        'maxPendingRequests',
        'maxNameBytes',
        'maxOwnerBytes',
        'maxClientNameBytes',
      ],
      ...['maxLocksPerSession', 'maxBytesPerSession', 'maxWaitersPerLock', 'maxLocksPerRequest', 'maxPageEntries'],
    ];
    expect(rest).to.deep.equal({
      status: 'ok',
      server: 'holdfast',
      version: (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version,
      protocol: 1,
      durable: false,
      limits: Object.fromEntries(told.map((name) => [name, limits[name]])),
    });
    expect(epoch).to.be.a('string').with.length.above(0);
    expect(lineage).to.be.a('string').with.length.above(0);
  });

  it('gives all clients of one server the same epoch, and another server has another', async () => {
    const other = await startServer();
    const epochs = [];
    for (const each of [server, server, other]) {
      epochs.push((await (await each.connect()).ask('hello', { protocol: 1 })).epoch);
    }
    expect(epochs[0]).to.equal(epochs[1]).and.to.not.equal(epochs[2]);
  });

  it('gives the client a name', async () => {
    const client = await server.connect();
    await client.ask('hello', { protocol: 1, name: 'Ann' });
    expect(await client.ask('whoami')).to.include({ name: 'Ann' });
    expect((await client.ask('who')).clients).to.deep.equal([{ address: addressOf(client), name: 'Ann' }]);
    await client.ask('hello', { protocol: 1 });
    expect(await client.ask('whoami')).to.include({ name: 'Ann' });
  });

  it('refuses another protocol', async () => {
    const client = await server.connect();
    expect(await client.ask('hello', { protocol: 2, name: 'Ann' })).to.include({ status: 'invalid' });
    expect(await client.ask('whoami')).to.include({ name: '' });
  });
});
