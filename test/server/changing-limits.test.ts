import { expect } from 'chai';
import { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import { limitReached } from './answers.ts';
import { endTest, whenTestEnds } from './clean-up.ts';
import { RawClient } from './raw-client.ts';
import { LogRecorder, listenOnTcp } from './running-server.ts';

describe('limits that change while the server runs', () => {
  let server: FullLockServer;
  let port: number;
  let client: RawClient;

  beforeEach(async () => {
    server = new FullLockServer({ logger: new LogRecorder() });
    whenTestEnds(() => server.close());
    port = await listenOnTcp(server);
    client = await RawClient.connect(port);
    await client.take('a');
  });
  afterEach(endTest);

  it('hold for the next request of clients that are there', async () => {
    await client.take('b');
    const lock = (lockName: string) => client.ask('lock', { lockName });
    for (const [limit, value] of Object.entries({ maxLocks: 2, maxLocksPerSession: 2, maxBytesPerSession: 1 })) {
      server.changeLimits({ [limit]: value });
      expect(await lock('c'), limit).to.deep.equal(limitReached(limit, value));
      server.changeLimits({ [limit]: 1_000_000 });
    }
    server.changeLimits({ maxNameBytes: 1, maxPageEntries: 1 });
    expect(await lock('cc')).to.deep.equal(limitReached('maxNameBytes', 1));
    expect((await client.ask('list')).locks).to.have.lengthOf(1);
    expect(await lock('a')).to.include({ status: 'ok', alreadyHeld: true });
    const { limits } = await client.ask('hello', { protocol: 1 });
    expect(limits).to.include({ maxNameBytes: 1, maxPageEntries: 1, maxLocksPerSession: 1_000_000 });
    expect(server.monitor.limits).to.include({ maxNameBytes: 1 });
  });

  it('hold for sessions that outlive their connections', async () => {
    const kept = await RawClient.connect(port);
    await kept.ask('hello', { protocol: 1, session: { timeoutMs: 20_000 } });
    server.changeLimits({ maxLocksPerSession: 1 });
    await kept.take('c');
    expect(await kept.ask('lock', { lockName: 'd' })).to.deep.equal(limitReached('maxLocksPerSession', 1));
  });

  it('hold for further connections, and those above stay', async () => {
    const second = await RawClient.connect(port);
    expect(await second.ask('ping')).to.deep.equal({ status: 'ok' });
    server.changeLimits({ maxConnections: 1 });
    await (await RawClient.connect(port)).closed;
    expect(await second.ask('ping')).to.deep.equal({ status: 'ok' });
    server.changeLimits({ maxConnections: 3 });
    expect(await (await RawClient.connect(port)).ask('ping')).to.deep.equal({ status: 'ok' });
  });

  it('hold for the next message that begins', async () => {
    server.changeLimits({ messageTimeoutMs: 12 });
    client.write('{"command":');
    await client.closed;
  });

  it('change nothing when one is unknown, or one of those that cannot change', async () => {
    const wrong = { maxNameBytes: 1, maxLock: 1 } as object;
    expect(() => server.changeLimits(wrong)).to.throw(TypeError, 'limits has "maxLock", which is not known');
    for (const limit of ['maxMessageBytes', 'maxMessageValues']) {
      const change = () => server.changeLimits({ maxNameBytes: 1, [limit]: 5_000 });
      expect(change).to.throw(
        TypeError,
        new RegExp(`^limits\\.${limit} is 5000; expected \\d+, since it cannot change$`),
      );
    }
    await client.take('name');
  });
});
