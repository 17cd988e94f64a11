import { expect } from 'chai';
import type { FullLockServer, LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import type { LockServerLimits } from '../../lib/server/lock-server-limits.ts';
import { connectTcp } from '../protocols/peers.ts';
import { PrefixedClient } from '../protocols/prefixed-client.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { endTest } from './clean-up.ts';
import { RawClient, until } from './raw-client.ts';
import { listenOnTcp, makeServer } from './running-server.ts';

describe('commands that are refused in protocols that cannot say why', () => {
  let server: FullLockServer;
  let logger: RecordingLogger;
  let port: number;
  afterEach(endTest);

  async function listen(limits: Partial<LockServerLimits> = {}, options: LockListenOptions = {}): Promise<void> {
    logger = new RecordingLogger();
    server = makeServer({ limits, logger });
    port = await listenOnTcp(server, options);
  }

  function expectRefused(counts: Readonly<Record<string, number>>, ...told: readonly string[]): void {
    expect(refusalsOf(server.counters)).to.deep.equal(counts);
    const messages = told.map((each) => `refused a command from 127.0.0.1: ${each}`);
    expect(logger.warnings).to.deep.equal(messages);
  }

  const passes = (limit: string, value: number): string =>
    `it would pass ${limit}, ${value}; to allow it, raise "limits.${limit}" in the settings`;

  for (const [limit, value, allowed, refused, reply, dialect] of [
    ['maxNameBytes', 5, 'g fives', 'g sixsix', '0 Lock Get Failure: sixsix', 'glockd'],
    ['maxNameBytes', 5, 'sg fives', 'sg sixsix', '0 Shared Lock Get Failure: sixsix', 'glockd'],
    ['maxClientNameBytes', 5, 'iam fives', 'iam sixsix', '0 name too long', 'glockd'],
    ['maxLocksPerSession', 1, 'g one', 'g two', '0 Lock Get Failure: two', 'glockd'],
    ['maxLocksPerSession', 1, 'sg one', 'sg two', '0 Shared Lock Get Failure: two', 'glockd'],
    ['maxLocks', 1, 'g one', 'g two', '0 Lock Get Failure: two', 'glockd'],
    ['maxLocks', 1, 'sg one', 'sg two', '0 Shared Lock Get Failure: two', 'glockd'],
    ['maxTableBytes', 1, 'g one', 'g two', '0 Lock Get Failure: two', 'glockd'],
    ['maxTableBytes', 1, 'sg one', 'sg two', '0 Shared Lock Get Failure: two', 'glockd'],
    ['maxBytesPerSession', 1, 'g one', 'g two', '0 Lock Get Failure: two', 'glockd'],
    ['maxBytesPerSession', 1, 'sg one', 'sg two', '0 Shared Lock Get Failure: two', 'glockd'],
    ['maxLocks', 1, 'g one', 'g two', '0 Cannot Get Lock', 'lockd'],
  ] as const) {
    it(`are counted, and logged once, above ${limit}: ${refused} in the dialect of ${dialect}`, async () => {
      await listen({ [limit]: value }, { dialect });
      const peer = await connectTcp(port);
      expect(await peer.ask(allowed)).to.match(/^1 /);
      for (let time = 0; time < 2; time += 1) expect(await peer.ask(refused)).to.equal(reply);
      expectRefused({ [limit]: 2 }, passes(limit, value));
    });
  }

  it('do not include requests for locks that others hold', async () => {
    await listen();
    const [holder, other] = [await connectTcp(port), await connectTcp(port)];
    await holder.ask('g jobs');
    expect(await other.ask('g jobs')).to.equal('0 Lock Get Failure: jobs');
    expect(await other.ask('r jobs')).to.equal('0 Lock Release Failure: jobs');
    expectRefused({});
  });

  it('are counted and logged while the server stops', async () => {
    await listen();
    const peer = await connectTcp(port);
    await peer.ask('g jobs');
    const closed = server.close({ drainMs: 60_000 });
    expect(await peer.ask('g other')).to.equal('0 Lock Get Failure: other');
    expectRefused({ draining: 1 }, 'the server is about to stop');
    expect(await peer.ask('r jobs')).to.equal('1 Lock Release Success: jobs');
    await closed;
  });

  it('are counted and logged for a line that is too long, and the connection is closed', async () => {
    await listen({ maxMessageBytes: 100 });
    const peer = await connectTcp(port);
    expect(await peer.ask(`g ${'n'.repeat(100)}`)).to.equal('0 Line Too Long');
    await peer.closed;
    expect(refusalsOf(server.counters)).to.deep.equal({ maxMessageBytes: 1 });
    expect(logger.warnings).to.deep.equal([
      'refused a connection from 127.0.0.1: it sent a message that is longer than maxMessageBytes, 100; to allow it, raise "limits.maxMessageBytes" in the settings',
    ]);
  });

  it('are counted and logged for an HTTP request in lower case, and the connection is closed', async () => {
    await listen();
    const peer = await connectTcp(port);
    peer.socket.write('get / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await peer.closed;
    expect(refusalsOf(server.counters)).to.deep.equal({ http: 1 });
    expect(logger.warnings).to.deep.equal([
      'refused a connection from 127.0.0.1: it sent an HTTP request, which this port does not serve',
    ]);
  });

  it('do not change the keys of q', async () => {
    await listen({ maxLocks: 1 });
    const peer = await connectTcp(port);
    await peer.ask('g one');
    await peer.ask('g two');
    peer.send([Buffer.from('q')]);
    const keys = (await peer.receive(16)).split('\n').map((line) => line.replace(/: .*/, ''));
    const known = ['connections', 'invalid_commands', 'locks', 'orphans', 'shared_locks', 'shared_orphans'];
    expect(keys.filter((key) => !key.startsWith('command_'))).to.deep.equal(known);
  });

  for (const [limit, value, refused] of [
    ['maxNameBytes', 5, 'sixsix'],
    ['maxLocksPerSession', 1, 'b'],
    ['maxLocks', 1, 'b'],
  ] as const) {
    it(`are counted and logged for a message of pkLockServer above ${limit}`, async () => {
      await listen({ [limit]: value });
      const client = await PrefixedClient.connect(port);
      await client.take('a', 1);
      client.lock(refused, 9);
      await client.expect('{"id":9,"result":{"status":"limit"}}');
      expectRefused({ [limit]: 1 }, passes(limit, value));
    });
  }

  it('are counted and logged for a message of pkLockServer above maxPendingRequests', async () => {
    await listen({ maxPendingRequests: 1 });
    const [holder, client] = [await PrefixedClient.connect(port), await PrefixedClient.connect(port)];
    await holder.take('a', 1);
    client.lock('a', 1);
    client.lock('a', 2);
    await client.expect('{"id":2,"result":{"status":"limit"}}');
    expectRefused({ maxPendingRequests: 1 }, passes('maxPendingRequests', 1));
  });

  it('are counted, but not logged, for requests whose answers name the limit', async () => {
    await listen({
      maxNameBytes: 5,
      maxOwnerBytes: 5,
      maxLocksPerSession: 2,
      maxLocksPerRequest: 2,
      maxMessageValues: 20,
    });
    const client = await RawClient.connect(port);
    const locks = ['a', 'b', 'c'].map((lockName) => ({ lockName }));
    for (const [limit, command, parameters] of [
      ['maxNameBytes', 'lock', { lockName: 'sixsix' }],
      ['maxNameBytes', 'inspect', { lockName: 'sixsix' }],
      ['maxOwnerBytes', 'lock', { lockName: 'a', owner: 'sixsix' }],
      ['maxLocksPerRequest', 'lockAll', { locks }],
    ] as const) {
      expect(await client.ask(command, parameters), limit).to.include({ status: 'limit', limit });
    }
    await client.take('a');
    await client.take('b');
    expect(await client.ask('lock', { lockName: 'c' })).to.include({ limit: 'maxLocksPerSession' });
    client.write(`[${'0,'.repeat(20)}0]\n`);
    expect(await client.next()).to.have.nested.property('error.status', 'limit');
    expect(refusalsOf(server.counters)).to.deep.equal({
      maxNameBytes: 2,
      maxOwnerBytes: 1,
      maxLocksPerRequest: 1,
      maxLocksPerSession: 1,
      maxMessageValues: 1,
    });
    expect(logger.warnings).to.deep.equal([]);
  });

  it('are logged for a client that does not read, and its connection is closed', async () => {
    await listen({ softOutputBytes: 1_000_000_000, hardOutputBytes: 1_000_000 });
    const peer = await RawClient.connect(port);
    peer.socket.pause();
    // More answers than sockets keep on their own.
    peer.write('{"command":"hello","parameters":{"protocol":1},"id":1}\n'.repeat(60_000));
    await until(() => server.counters.refusals.hardOutputBytes !== 0);
    expect(refusalsOf(server.counters)).to.deep.equal({ hardOutputBytes: 1 });
    expect(logger.at('warn')[0]?.message).to.include('it left more output unread than hardOutputBytes, 1000000');
  });
});
