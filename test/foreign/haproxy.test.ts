import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { connectFrames, connectSecurely } from '../protocols/peers.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { listenOnTcp, makeServer, portOf } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { Authority } from '../transports/certificates.ts';
import { needs, SystemProgram } from './system-program.ts';

const WHOAMI = '{"command":"whoami","id":1}';
const CLIENT = '127.0.0.7';
/** HAProxy itself connects from 127.0.0.1. */
const WHERE = { host: '127.0.0.1', port: 0, allowed: [CLIENT, '::1'], proxies: ['127.0.0.1'] };
const WITH_PROXY = { ...WHERE, allowed: ['127.0.0.1', ...WHERE.allowed] };
const PAGES = { origins: [], hosts: [], maxMessageBytes: 1_000 };

const ENOUGH_CHECKS = 10;
/** Pauses between attempts to connect leave the processor to HAProxy, which starts meanwhile. */
const RETRY_MS = 3;

/** Where HAProxy and the server listen, and further words about the server in HAProxy's configuration. */
interface Passage {
  readonly bind: string;
  readonly target: number;
  readonly server: string;
}

for (const [version, sends] of [
  ['1', 'send-proxy'],
  ['2', 'send-proxy-v2'],
  ['2 with more than addresses', 'send-proxy-v2 proxy-v2-options unique-id,crc32c'],
] as const) {
  describe(`HAProxy that sends version ${version} of the PROXY protocol`, () => {
    let server: FullLockServer;
    let logger: RecordingLogger;

    before(function () {
      needs(this, 'haproxy');
    });
    beforeEach(() => {
      logger = new RecordingLogger();
      server = makeServer({ logger });
    });
    afterEach(endTest);

    async function startProxy(...passages: readonly Passage[]): Promise<SystemProgram> {
      const file = join(makeFolder(), 'haproxy.cfg');
      const listens = passages.map(
        ({ bind, target, server: options }, index) =>
          `listen passage-${index}\n  bind ${bind}\n  unique-id-format %rt\n  server one 127.0.0.1:${target} ${options}\n`,
      );
      const times = ['connect', 'client', 'server'].map((what) => `  timeout ${what} 60s\n`).join('');
      writeFileSync(file, `defaults\n  mode tcp\n${times}${listens.join('')}`);
      const proxy = new SystemProgram('haproxy', ['-db', '-f', file]);
      for (const { bind } of passages) await untilListening(bind);
      return proxy;
    }

    /** Starts HAProxy in front of that port; resolves to its own. */
    async function passTo(target: number, options = ''): Promise<number> {
      const port = await freePort();
      await startProxy({ bind: `127.0.0.1:${port}`, target, server: `${sends} ${options}` });
      return port;
    }

    it('shows the server the address of each client', async () => {
      const port = await passTo(portOf(await server.listen(tcp(WHERE))));
      const client = await RawClient.connect(port, { localAddress: CLIENT });
      expect(await client.ask('whoami')).to.include({ address: `${CLIENT}:${client.socket.localPort}` });
    });

    it('shows the server the address of a client by IPv6', async () => {
      const port = await freePort();
      const target = portOf(await server.listen(tcp(WHERE)));
      await startProxy({ bind: `[::1]:${port}`, target, server: sends });
      const client = await RawClient.connect(`[::1]:${port}`);
      expect(await client.ask('whoami')).to.include({ address: `[::1]:${client.socket.localPort}` });
    });

    it('is shown by its own address for a client on its Unix socket', async () => {
      const path = join(makeFolder(), 'proxy.sock');
      const target = portOf(await server.listen(tcp(WITH_PROXY)));
      await startProxy({ bind: `unix@${path}`, target, server: sends });
      const client = await RawClient.connect(0, { path });
      expect((await client.ask('whoami')).address).to.match(/^127\.0\.0\.1:\d+$/);
    });

    it('has clients refused that are not allowed', async () => {
      const port = await passTo(portOf(await server.listen(tcp(WHERE))));
      await (await RawClient.connect(port, { localAddress: '127.0.0.8' })).closed;
      const told = 'refused a connection from 127.0.0.8: its address is not allowed';
      await until(() => logger.warnings.some((warning) => warning.startsWith(told)));
    });

    it('passes on TLS and WebSocket', async () => {
      const authority = new Authority();
      const tls = authority.issue('server');
      const secure = await passTo(portOf(await server.listen(tcp({ ...WITH_PROXY, tls }))));
      const byTls = await connectSecurely(secure, authority.cert);
      expect(await byTls.ask(WHOAMI)).to.include(`"address":"${byTls.address}"`);
      const framed = await passTo(portOf(await server.listen(webSocket({ ...WITH_PROXY, ...PAGES, tls }))));
      const byFrames = await connectFrames(`wss://127.0.0.1:${framed}`, { ca: authority.cert });
      expect(await byFrames.ask(WHOAMI)).to.include(`"address":"${byFrames.address}"`);
    });

    it('finds by its checks that the server lives, and the server refuses no check', async () => {
      const tls = new Authority().issue('server');
      const checks = 'check check-send-proxy inter 20ms';
      const plain = portOf(await server.listen(tcp(WITH_PROXY)));
      const secure = portOf(await server.listen(tcp({ ...WITH_PROXY, tls })));
      const framed = portOf(await server.listen(webSocket({ ...WITH_PROXY, ...PAGES })));
      // The server does not see a check that is reset before it is read, so another one counts.
      let checkCount = 0;
      const counter = createServer((socket) => {
        checkCount += 1;
        if (checkCount === ENOUGH_CHECKS) counter.emit('enough');
        socket.on('error', () => {}).resume();
      });
      const enough = once(counter, 'enough');
      await once(counter.listen(0, '127.0.0.1'), 'listening');
      whenTestEnds(() => counter.close());
      const { port: counted } = counter.address() as AddressInfo;
      const passages = [plain, secure, framed, counted].map(async (target) => ({
        bind: `127.0.0.1:${await freePort()}`,
        target,
        server: `${sends} ${checks}`,
      }));
      const proxy = await startProxy(...(await Promise.all(passages)));
      await enough;
      expect(proxy.errorOutput).not.to.include('is DOWN');
      expect(refusalsOf(server.counters)).to.deep.equal({});
      expect(logger.warnings).to.deep.equal([]);
    });

    it('costs no session its locks when it is killed and starts again', async () => {
      const target = portOf(await server.listen(tcp(WHERE), { proxied: true }));
      const passage = { bind: `127.0.0.1:${await freePort()}`, target, server: sends };
      const proxy = await startProxy(passage);
      const client = await RawClient.connect(passage.bind, { localAddress: CLIENT });
      const { session } = await client.ask('hello', { protocol: 1, session: {} });
      const token = await client.take('jobs');
      const witness = await RawClient.connect(await listenOnTcp(server));
      await witness.queue(1, 'jobs');
      await proxy.kill();
      await until(async () => (await witness.ask('stats')).suspendedSessions === 1);
      await startProxy(passage);
      const again = await RawClient.connect(passage.bind, { localAddress: CLIENT });
      const { id, secret } = session as { id: string; secret: string };
      const resumed = await again.ask('hello', { protocol: 1, session: { id, secret, holds: [token] } });
      expect(resumed).to.have.nested.property('session.state', 'resumed');
      expect(await again.ask('lock', { lockName: 'jobs' })).to.include({ token, alreadyHeld: true });
    });
  });
}

describe('HAProxy that sends no header', () => {
  before(function () {
    needs(this, 'haproxy');
  });
  afterEach(endTest);

  it('is refused, and the log says that it has to send a header', async () => {
    const logger = new RecordingLogger();
    const target = portOf(await makeServer({ logger }).listen(tcp(WHERE)));
    const file = join(makeFolder(), 'haproxy.cfg');
    const bind = `127.0.0.1:${await freePort()}`;
    const times = '  timeout connect 60s\n  timeout client 60s\n  timeout server 60s\n';
    writeFileSync(file, `listen all\n  mode tcp\n${times}  bind ${bind}\n  server one 127.0.0.1:${target}\n`);
    new SystemProgram('haproxy', ['-db', '-f', file]);
    await untilListening(bind);
    const client = await RawClient.connect(bind);
    client.send({ command: 'ping', id: 1 });
    await client.closed;
    await until(() => logger.warnings.length > 0);
    expect(logger.warnings[0]).to.include(
      'which is no valid header of the PROXY protocol; to allow it, have the proxy',
    );
  });
});

/** Waits until a program listens there: an address with a port, or a Unix socket as HAProxy calls it. */
async function untilListening(bind: string): Promise<void> {
  const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(bind) ?? [];
  const place = port === undefined ? { path: bind.slice('unix@'.length) } : { host, port: Number(port) };
  for (;;) {
    const socket = connect(place);
    whenTestEnds(() => socket.destroy());
    const isThere = await Promise.race([
      once(socket, 'connect').then(() => true),
      new Promise<false>((resolve) => socket.once('error', () => resolve(false))),
    ]).catch(() => false);
    socket.destroy();
    if (isThere) return;
    await delay(RETRY_MS);
  }
}
