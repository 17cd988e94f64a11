import { expect } from 'chai';
import type { FullLockServer, LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import type { LockServerLimits } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { connectTcp, type StreamPeer } from '../protocols/peers.ts';
import { PrefixedClient } from '../protocols/prefixed-client.ts';
import { makeServer } from '../protocols/transports.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { endTest } from './clean-up.ts';
import { RawClient, until } from './raw-client.ts';
import { portOf } from './running-server.ts';

describe('commands that are refused in protocols that cannot say why', () => {
  let server: FullLockServer;
  let logger: RecordingLogger;
  let port: number;
  afterEach(endTest);

  async function listen(limits: Partial<LockServerLimits> = {}, options: LockListenOptions = {}): Promise<void> {
    logger = new RecordingLogger();
    server = makeServer({ limits, logger });
    port = portOf(await server.listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] }), options));
  }

  async function ask(peer: StreamPeer, command: string): Promise<string> {
    peer.send([Buffer.from(command)]);
    return await peer.receive(1);
  }

  function expectRefused(counts: Readonly<Record<string, number>>, ...told: readonly string[]): void {
    expect(refusalsOf(server.counters)).to.deep.equal(counts);
    const messages = told.map((each) => `refused a command from 127.0.0.1: ${each}`);
    expect(logger.at('warn').map(({ message }) => message)).to.deep.equal(messages);
  }

  const passes = (limit: string, value: number): string =>
    `it would pass ${limit}, ${value}; to allow it, raise "limits.${limit}" in the settings`;

  it('are counted and logged for names of locks that are too long', async () => {
    await listen({ maxNameBytes: 5 });
    const peer = await connectTcp(port);
    expect(await ask(peer, 'g sixsix')).to.equal('0 Lock Get Failure: sixsix');
    expect(await ask(peer, 'sg sixsix')).to.equal('0 Shared Lock Get Failure: sixsix');
    expect(await ask(peer, 'g fives')).to.equal('1 Lock Get Success: fives');
    expectRefused({ maxNameBytes: 2 }, passes('maxNameBytes', 5));
  });

  it('are counted and logged for names of clients that are too long', async () => {
    await listen({ maxClientNameBytes: 5 });
    const peer = await connectTcp(port);
    expect(await ask(peer, 'iam sixsix')).to.equal('0 name too long');
    expectRefused({ maxClientNameBytes: 1 }, passes('maxClientNameBytes', 5));
  });

  for (const [limit, command] of [
    ['maxLocksPerSession', 'g'],
    ['maxLocksPerSession', 'sg'],
    ['maxLocks', 'g'],
    ['maxLocks', 'sg'],
  ] as const) {
    it(`are counted and logged for ${command} above ${limit}`, async () => {
      await listen({ [limit]: 1 });
      const peer = await connectTcp(port);
      expect(await ask(peer, `${command} one`)).to.match(/^1 /);
      expect(await ask(peer, `${command} two`)).to.match(/^0 .* Failure: two$/);
      expectRefused({ [limit]: 1 }, passes(limit, 1));
    });
  }

  it('are counted in the dialect of lockd too', async () => {
    await listen({ maxLocks: 1 }, { dialect: 'lockd' });
    const peer = await connectTcp(port);
    expect(await ask(peer, 'g one')).to.equal('1 Got Lock');
    expect(await ask(peer, 'g two')).to.equal('0 Cannot Get Lock');
    expectRefused({ maxLocks: 1 }, passes('maxLocks', 1));
  });

  it('do not include those for locks that others hold', async () => {
    await listen();
    const [holder, other] = [await connectTcp(port), await connectTcp(port)];
    await ask(holder, 'g jobs');
    expect(await ask(other, 'g jobs')).to.equal('0 Lock Get Failure: jobs');
    expect(await ask(other, 'r jobs')).to.equal('0 Lock Release Failure: jobs');
    expectRefused({});
  });

  it('are counted and logged while the server stops', async () => {
    await listen();
    const peer = await connectTcp(port);
    await ask(peer, 'g jobs');
    const closed = server.close({ drainMs: 60_000 });
    expect(await ask(peer, 'g other')).to.equal('0 Lock Get Failure: other');
    expectRefused({ draining: 1 }, 'the server is about to stop');
    expect(await ask(peer, 'r jobs')).to.equal('1 Lock Release Success: jobs');
    await closed;
  });

  it('are counted and logged for lines that are too long, which end the connection', async () => {
    await listen({ maxMessageBytes: 100 });
    const peer = await connectTcp(port);
    expect(await ask(peer, `g ${'n'.repeat(100)}`)).to.equal('0 Line Too Long');
    await peer.closed;
    expect(refusalsOf(server.counters)).to.deep.equal({ maxMessageBytes: 1 });
    expect(logger.at('warn').map(({ message }) => message)).to.deep.equal([
      'refused a connection from 127.0.0.1: it sent a message that is longer than maxMessageBytes, 100; to allow it, raise "limits.maxMessageBytes" in the settings',
    ]);
  });

  it('are counted and logged when they are HTTP requests in lower case, which end the connection', async () => {
    await listen();
    const peer = await connectTcp(port);
    peer.socket.write('get / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await peer.closed;
    expect(refusalsOf(server.counters)).to.deep.equal({ http: 1 });
    expect(logger.at('warn').map(({ message }) => message)).to.deep.equal([
      'refused a connection from 127.0.0.1: it sent an HTTP request, which this port does not serve',
    ]);
  });

  it('leave what q tells as it was', async () => {
    await listen({ maxLocks: 1 });
    const peer = await connectTcp(port);
    await ask(peer, 'g one');
    await ask(peer, 'g two');
    peer.send([Buffer.from('q')]);
    const keys = (await peer.receive(16)).split('\n').map((line) => line.replace(/: .*/, ''));
    expect(keys.filter((key) => !key.startsWith('command_'))).to.deep.equal([
      'connections',
      'invalid_commands',
      'locks',
      'orphans',
      'shared_locks',
      'shared_orphans',
    ]);
  });

  for (const [limit, attempt] of [
    ['maxNameBytes', (client: PrefixedClient) => client.lock('sixsix', 9)],
    ['maxLocksPerSession', (client: PrefixedClient) => client.lock('b', 9)],
    ['maxLocks', (client: PrefixedClient) => client.lock('b', 9)],
  ] as const) {
    it(`are counted and logged for a message of pkLockServer above ${limit}`, async () => {
      await listen({ [limit]: limit === 'maxNameBytes' ? 5 : 1 });
      const client = await PrefixedClient.connect(port);
      await client.take('a', 1);
      attempt(client);
      await client.expect('{"id":9,"result":{"status":"limit"}}');
      expectRefused({ [limit]: 1 }, passes(limit, limit === 'maxNameBytes' ? 5 : 1));
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

  it('do not include messages, which are answered with the limit', async () => {
    await listen({ maxNameBytes: 5 });
    const client = await RawClient.connect(port);
    expect(await client.ask('lock', { lockName: 'sixsix' })).to.include({ status: 'limit', limit: 'maxNameBytes' });
    expectRefused({});
  });

  it('are told for a client that does not read, whose connection is closed', async () => {
    const name = 'n'.repeat(10_000);
    await listen({ softOutputBytes: 1_000_000_000, hardOutputBytes: 1_000_000 });
    const peer = await RawClient.connect(port);
    peer.socket.pause();
    peer.write(`${JSON.stringify({ command: 'inspect', parameters: { lockName: name }, id: 1 })}\n`.repeat(3_000));
    await until(() => server.counters.refusals.hardOutputBytes !== 0);
    expect(refusalsOf(server.counters)).to.deep.equal({ hardOutputBytes: 1 });
    expect(logger.at('warn')[0]?.message).to.include('it left more output unread than hardOutputBytes, 1000000');
  });
});
