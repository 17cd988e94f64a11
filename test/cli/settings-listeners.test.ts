import { statSync } from 'node:fs';
import { expect } from 'chai';
import { planListeners } from '../../lib/cli/listeners.ts';
import { completeSettings, SettingsError } from '../../lib/cli/settings.ts';
import { LineClient } from '../foreign/line-client.ts';
import { connectFrames } from '../protocols/peers.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { PlainProxy } from '../transports/plain-proxy.ts';
import { lineFor } from '../transports/proxy-headers.ts';
import { openPlanned, type PlannedServer } from './planned-server.ts';

describe('the listeners of a settings file', () => {
  const folder = folderForEachTest();

  it('each speak their own dialect, about the same locks', async () => {
    const glockd = { transport: 'tcp', port: 'auto', protocols: ['line'], dialect: 'glockd' };
    const { ports } = await start([glockd, { ...glockd, dialect: 'lockd' }]);
    const [glock, lock] = [await LineClient.connect(ports[1] as number), await LineClient.connect(ports[2] as number)];
    expect(await glock.ask('g jobs')).to.equal('1 Lock Get Success: jobs');
    expect(await lock.ask('g jobs\r')).to.equal('0 Cannot Get Lock');
    expect(await lock.ask('i jobs\r')).to.equal('1 Locked');
    expect(await lock.ask('sg jobs\r')).to.equal('1 Got Lock');
    expect(await glock.ask('sg jobs')).to.equal('2 Shared Lock Get Success: jobs');
    expect(await lock.statistics()).to.include({ locks: 1, shared_locks: 1, connections: 2 });
  });

  it('close connections that speak another protocol', async () => {
    const { ports } = await start([{ transport: 'tcp', port: 'auto', protocols: ['ndjson'] }]);
    const line = await LineClient.connect(ports[1] as number);
    line.send('g jobs');
    await line.closed;
    const message = await RawClient.connect(ports[1] as number);
    expect(await message.ask('stats')).to.include({ locks: 0, grants: 0 });
  });

  it('have hosts and allow-lists of their own', async () => {
    const { addresses, ports } = await start([
      { transport: 'tcp', host: '127.0.0.3', port: 'auto', allowed: ['127.0.0.2'] },
    ]);
    expect(addresses[1]).to.equal(`127.0.0.3:${ports[1]}`);
    const where = { host: '127.0.0.3', port: ports[1] as number };
    await (await LineClient.connect({ ...where, localAddress: '127.0.0.1' })).closed;
    const client = await LineClient.connect({ ...where, localAddress: '127.0.0.2' });
    expect(await client.ask('i jobs')).to.equal('0 Lock Not Locked: jobs');
  });

  it('see where the clients of a proxy are, and keep sessions over its end', async () => {
    const transports = [{ transport: 'tcp' }, { transport: 'websocket' }];
    const common = { port: 'auto', allowed: ['192.0.2.7'], proxied: true, proxies: ['127.0.0.0/8'] };
    const path = folder.at('lock.sock');
    const { ports } = await start([
      ...transports.map((each) => ({ ...each, ...common })),
      { transport: 'unix', path, proxied: true },
    ]);
    const witness = await RawClient.connect(ports[0] as number);
    const header = lineFor('192.0.2.7', 4711);
    const client = await RawClient.connect(ports[1] as number);
    client.write(header);
    const proxy = await PlainProxy.start(ports[2] as number, header, 'glued');
    const peers = [client, await connectFrames(`ws://127.0.0.1:${proxy.port}`)] as const;
    expect(await client.ask('whoami')).to.include({ address: '192.0.2.7:4711' });
    expect(await peers[1].ask('{"command":"whoami","id":1}')).to.include('"address":"192.0.2.7:4711"');
    const socket = await RawClient.connect(0, { path });
    for (const each of [client, socket]) {
      await each.ask('hello', { protocol: 1, session: {} });
      await each.take(each === client ? 'tcp' : 'unix');
      await each.leave();
    }
    await until(async () => (await witness.ask('stats')).suspendedSessions === 2);
  });

  it('are opened only if they are enabled', async () => {
    const path = folder.at('lock.sock');
    const off = { enabled: false, transport: 'tcp', port: 'auto' };
    const { addresses } = await start([
      off,
      { transport: 'unix', path, mode: '0660' },
      { ...off, enabled: true, port: 0 },
    ]);
    expect(addresses).to.have.lengthOf(2);
    expect(addresses[1]).to.equal(path);
    expect(statSync(path).mode & 0o777).to.equal(0o660);
  });

  const tcp = { transport: 'tcp', port: 1 };
  const unix = { transport: 'unix', path: 'x' };
  const ws = { transport: 'websocket', port: 'auto' };
  const mistakes: readonly [mistake: string, listener: object, complaint: string][] = [
    ['no transport', {}, '.transport is missing'],
    ['an unknown transport', { transport: 'udp' }, '.transport is "udp"; expected "tcp", "unix" or "websocket"'],
    ['no port', { transport: 'websocket' }, '.port is missing; a listener on websocket needs it'],
    ['a port that is none', { ...tcp, port: 7e4 }, '.port is 70000; expected a whole number from 0 to 65535'],
    ['no path', { transport: 'unix' }, '.path is missing; a listener on unix needs it'],
    ['an empty path', { ...unix, path: '' }, '.path is ""; expected a file'],
    ['a mode that is none', { ...unix, mode: 'rw' }, '.mode is "rw"; expected a mode in octal such as "0660"'],
    ['an unknown dialect', { ...tcp, dialect: 'elockd' }, '.dialect is "elockd"; expected "glockd" or "lockd"'],
    ['an unknown protocol', { ...tcp, protocols: ['line', 'http'] }, '.protocols[1] is "http"; expected "ndjson", '],
    ['an unknown key', { ...tcp, prot: 1 }, '.prot is not known; expected enabled, transport, host, port'],
    ['an address that is none', { ...tcp, allowed: ['::1', 'a'] }, '.allowed[1]: "a" is no address; expected one'],
    [
      'a proxy that is none',
      { ...tcp, proxied: true, proxies: ['::1', 'a'] },
      '.proxies[1]: "a" is no address; expect',
    ],
    ['proxies and nothing else', { ...tcp, proxies: [] }, '.proxied is undefined; expected true, since there is '],
    ['proxies and no proxy', { ...tcp, proxied: false, proxies: ['::1'] }, '.proxied is false; expected true, since'],
    ['proxies on a Unix socket', { ...unix, proxied: true, proxies: ['::1'] }, '.proxies is ["::1"]; expected none on'],
    ['a word for proxied', { ...tcp, proxied: 'yes' }, '.proxied is "yes"; expected true or false'],
    ['a certificate without its key', { ...tcp, tls: { cert: 'x' } }, '.tls'],
    ['a protocol that WebSocket has not', { ...ws, protocols: ['prefixed'] }, '.protocols'],
    ['an allow-list on a Unix socket', { ...unix, path: '/dev/null/x', allowed: [] }, '.allowed'],
  ];
  for (const [mistake, listener, complaint] of mistakes) {
    it(`are refused with ${mistake}, with the place and the expected value`, () => {
      const plan = () => planListeners(completeSettings({ port: 'auto', listeners: [listener] }, 'the settings'));
      expect(plan).to.throw(SettingsError, `settings.listeners[0]${complaint}`);
    });
  }

  function start(listeners: readonly object[]): Promise<PlannedServer> {
    return openPlanned(completeSettings({ port: 'auto', listeners }, 'the settings'));
  }
});
