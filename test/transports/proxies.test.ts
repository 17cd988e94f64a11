import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type { FullLockServer, LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import type { LockServerLimits } from '../../lib/server/lock-server-limits.ts';
import { type TcpListenerOptions, tcp } from '../../lib/transports/tcp.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { connectFrames, connectSecurely, connectTcp, type Peer, StreamPeer } from '../protocols/peers.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { makeServer, portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { serverIdentity } from './certificates.ts';
import { PlainProxy } from './plain-proxy.ts';
import { binaryHeader, headerFor, lineFor } from './proxy-headers.ts';

const KINDS = ['TCP', 'TLS', 'WebSocket', 'WebSocket over TLS'] as const;
type Kind = (typeof KINDS)[number];

const CLIENTS = ['192.0.2.0/24', '2001:db8::/32'];
const BEHIND = { host: '127.0.0.1', port: 0, allowed: CLIENTS, proxies: ['127.0.0.1'] };
const PAGES = { origins: [], hosts: [], maxMessageBytes: 1_000 };
const WHOAMI = Buffer.from('{"command":"whoami","id":1}');
const NEEDS = 'have the proxy send one, or take its address out of "proxies" of the listener in the settings';

describe('a listener that trusts a proxy', () => {
  let server: FullLockServer;
  let logger: RecordingLogger;

  beforeEach(() => start());
  afterEach(endTest);

  function start(limits: Partial<LockServerLimits> = {}): void {
    logger = new RecordingLogger();
    server = makeServer({ logger, limits });
  }

  async function listen(kind: Kind = 'TCP', given: Partial<TcpListenerOptions> = {}): Promise<number> {
    const tls = kind.endsWith('TLS') ? serverIdentity().tls : undefined;
    const where = { ...BEHIND, tls, ...given };
    const options: LockListenOptions = { proxied: true };
    const listener = kind.startsWith('WebSocket') ? webSocket({ ...where, ...PAGES }) : tcp(where);
    return portOf(await server.listen(listener, options));
  }

  function connectTo(kind: Kind, port: number): Promise<Peer> {
    if (kind === 'TCP') return connectTcp(port);
    if (kind === 'TLS') return connectSecurely(port, serverIdentity().ca);
    if (kind === 'WebSocket') return connectFrames(`ws://127.0.0.1:${port}`);
    return connectFrames(`wss://127.0.0.1:${port}`, { ca: serverIdentity().ca });
  }

  /** Sends bytes; resolves to the socket. */
  async function send(port: number, bytes: string | Uint8Array, localAddress = '127.0.0.1'): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
    whenTestEnds(() => socket.destroy());
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
    if (bytes.length > 0) await new Promise((resolve) => socket.write(bytes, resolve));
    return socket;
  }

  /** Connects through a proxy, and waits for an answer. */
  async function askBehind(kind: Kind, port: number): Promise<void> {
    const proxy = await PlainProxy.start(port, headerFor('192.0.2.7', 4711), 'glued');
    const peer = await connectTo(kind, proxy.port);
    peer.send([WHOAMI]);
    await peer.receive();
    peer.close();
    await peer.closed;
  }

  /** Waits for the log line, which may come after the end of the connection. */
  async function expectRefused(reason: string, why: string, address = '127.0.0.1'): Promise<void> {
    await until(() => logger.warnings.length > 0);
    expect(logger.warnings).to.deep.equal([`refused a connection from ${address}: ${why}`]);
    expect(refusalsOf(server.counters)).to.deep.equal({ [reason]: 1 });
  }

  async function untilClosed(socket: Socket): Promise<void> {
    if (!socket.closed) await once(socket, 'close');
  }

  const headers: readonly [string, Buffer, string][] = [
    ['a line for IPv4', lineFor('192.0.2.7', 4711), '192.0.2.7:4711'],
    ['a line for IPv6', lineFor('2001:DB8::7', 4711), '[2001:db8::7]:4711'],
    ['a binary header for IPv4', headerFor('192.0.2.7', 4711), '192.0.2.7:4711'],
    ['a long binary header for IPv6', headerFor('2001:db8::7', 4711, 300), '[2001:db8::7]:4711'],
  ];
  for (const kind of KINDS) {
    for (const [what, header, address] of headers) {
      for (const way of ['glued', 'apart', 'bytes'] as const) {
        it(`on ${kind} sees the address of the client by ${what}, sent ${way}`, async () => {
          const proxy = await PlainProxy.start(await listen(kind), header, way);
          const peer = await connectTo(kind, proxy.port);
          peer.send([WHOAMI]);
          expect(JSON.parse(await peer.receive())).to.deep.include({ result: { status: 'ok', address, name: '' } });
          peer.send([Buffer.from(`{"command":"ping","id":"${'x'.repeat(100)}"}`)]);
          expect(await peer.receive()).to.include('"status":"ok"');
          expect(logger.warnings).to.deep.equal([]);
        });
      }
    }

    it(`on ${kind} refuses a connection of the proxy without a header`, async () => {
      const socket = await send(await listen(kind), 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await untilClosed(socket);
      expect(socket.bytesRead).to.equal(0);
      const why = 'it began with "GET / HTTP/1.1\\r\\n", which is no valid header of the PROXY protocol';
      await expectRefused('proxyHeader', `${why}; to allow it, ${NEEDS}`);
    });

    it(`on ${kind} refuses a client if its address is not allowed, even if the proxy's is`, async () => {
      const port = await listen(kind);
      await untilClosed(await send(port, Buffer.concat([lineFor('198.51.100.1', 4711), WHOAMI])));
      const remedy = 'add "198.51.100.1" to "allowed" in the settings';
      await expectRefused('allowList', `its address is not allowed; to allow it, ${remedy}`, '198.51.100.1');
    });

    it(`on ${kind} says nothing of a connection that brings only a header, as a health check does`, async () => {
      const port = await listen(kind, { allowed: ['127.0.0.1', ...CLIENTS] });
      // TLS waits for a client that has only closed its side.
      const ways = kind.endsWith('TLS') ? (['resetAndDestroy'] as const) : (['end', 'resetAndDestroy'] as const);
      for (const header of [binaryHeader(0x20, 0), lineFor('192.0.2.7', 1), Buffer.alloc(0)]) {
        for (const leave of ways) {
          const socket = await send(port, header);
          // Another client is served meanwhile, so the header has been read.
          await askBehind(kind, port);
          socket[leave]();
          await untilClosed(socket);
        }
      }
      await askBehind(kind, port);
      expect(logger.warnings).to.deep.equal([]);
      expect(refusalsOf(server.counters)).to.deep.equal({});
    });

    it(`on ${kind} lets others connect without a header`, async () => {
      const port = await listen(kind, { allowed: ['127.0.0.1'], proxies: ['127.0.0.2'] });
      const peer = await connectTo(kind, port);
      peer.send([WHOAMI]);
      expect(await peer.receive()).to.include(`"address":"${peer.address}"`);
    });

    it(`on ${kind} refuses a header that does not end in time`, async () => {
      const port = await listen(kind, { handshakeTimeoutMs: 20 });
      await untilClosed(await send(port, headerFor('192.0.2.7', 4711, 10).subarray(0, 30)));
      await expectRefused('handshakeTimeout', 'it sent no whole header of the PROXY protocol within 20 ms');
    });
  }

  const fromOthers = [lineFor('192.0.2.7', 4711), headerFor('192.0.2.7', 4711), Buffer.from('PROXY UNKNOWN\r\n')];
  for (const header of fromOthers) {
    const shown = JSON.stringify(header.toString('latin1', 0, 14));
    const why = 'it sent a header of the PROXY protocol, which is not taken from its address';
    const told = `${why}; to allow it, add the address to "proxies" of the listener in the settings`;
    const listening: readonly [string, Kind, Partial<TcpListenerOptions>, LockListenOptions][] = [
      ['another address', 'TCP', {}, {}],
      ['another address by WebSocket', 'WebSocket', {}, {}],
      ['anybody where no proxy is trusted', 'TCP', { proxies: [] }, {}],
      ['anybody without that setting', 'TCP', { proxies: undefined }, {}],
    ];
    for (const [whom, kind, given] of listening) {
      it(`takes no header ${shown} from ${whom}`, async () => {
        const port = await listen(kind, { allowed: ['127.0.0.2'], ...given });
        const socket = await send(port, Buffer.concat([header, WHOAMI, Buffer.from('\n')]), '127.0.0.2');
        await untilClosed(socket);
        await expectRefused('unknownProtocol', told, '127.0.0.2');
      });
    }
  }

  it('takes no header where one other protocol is served, and carries nothing out', async () => {
    for (const protocols of [['line'], ['prefixed'], ['ndjson']] as const) {
      start();
      const listener = tcp({ ...BEHIND, allowed: ['127.0.0.1'], proxies: [] });
      const port = portOf(await server.listen(listener, { protocols }));
      for (const header of fromOthers)
        await untilClosed(await send(port, Buffer.concat([header, Buffer.from('g a\n')])));
      await until(() => (refusalsOf(server.counters).unknownProtocol ?? 0) === fromOthers.length);
      expect(server.commandStats()).to.include({ grants: 0 });
    }
  });

  it('uses the address of a proxy that speaks for itself or does not know its client, and that address must be allowed', async () => {
    const port = await listen('TCP', { allowed: ['127.0.0.1'] });
    const unixClient = binaryHeader(0x21, 0x31, Buffer.alloc(216));
    const unknown = Buffer.from('PROXY UNKNOWN\r\n');
    for (const header of [binaryHeader(0x20, 0), binaryHeader(0x21, 0), unixClient, unknown]) {
      const peer = await connectTcp(port);
      peer.socket.write(header);
      expect(await peer.ask(WHOAMI.toString())).to.include(`"address":"${peer.address}"`);
    }
    await untilClosed(await send(await listen(), unknown));
    const remedy = 'add "127.0.0.1" to "allowed" in the settings';
    await expectRefused('allowList', `its address is not allowed; to allow it, ${remedy}`);
  });

  it('refuses a header that ends at any byte before its end, and tells each', async () => {
    const port = await listen();
    let count = 0;
    for (const header of [lineFor('192.0.2.7', 4711), headerFor('192.0.2.7', 4711, 5)]) {
      for (let length = 1; length < header.length; length += 1) {
        const socket = await send(port, header.subarray(0, length));
        if (length % 2 === 0) socket.end();
        else {
          await nextTurn();
          socket.end();
        }
        await untilClosed(socket);
        count += 1;
      }
    }
    await until(() => (refusalsOf(server.counters).proxyHeader ?? 0) === count);
    const told = `it ended within its header of the PROXY protocol; to allow it, ${NEEDS}`;
    expect(logger.warnings).to.deep.equal([`refused a connection from 127.0.0.1: ${told}`]);
    expect(server.counters).to.include({ connections: 0 });
  });

  it('does not touch a connection after its header came in time', async () => {
    const port = await listen('TCP', { handshakeTimeoutMs: 200 });
    const peer = await connectTcp(port);
    peer.socket.write(lineFor('192.0.2.7', 4711));
    await peer.ask(WHOAMI.toString());
    // This one begins later, so the time of the first is over when it is refused.
    await untilClosed(await send(port, 'PROXY TCP4'));
    await until(() => logger.warnings.length > 0);
    expect(await peer.ask(WHOAMI.toString())).to.include('"status":"ok"');
    expect(refusalsOf(server.counters)).to.deep.equal({ handshakeTimeout: 1 });
  });

  it('answers a client when its header, message and end come at once', async () => {
    const port = await listen();
    const socket = connect({ host: '127.0.0.1', port });
    const peer = new StreamPeer(socket, '');
    socket.end(Buffer.concat([headerFor('192.0.2.7', 4711), WHOAMI]));
    expect(await peer.rest()).to.include('"address":"192.0.2.7:4711"');
  });

  it('takes very much that comes in one piece with the header', async () => {
    const port = await listen();
    const client = await RawClient.connect(port);
    const pings = Array.from({ length: 5_000 }, (_, id) => `{"command":"ping","id":${id}}\n`).join('');
    client.write(Buffer.concat([headerFor('192.0.2.7', 4711), Buffer.from(pings)]));
    const answers = await client.nextMany(5_000);
    expect(answers.map(({ id }) => id)).to.deep.equal(answers.map((_, index) => index));
  });

  it('counts the connections of each client, not those of the proxy', async () => {
    start({ maxConnectionsPerAddress: 1 });
    const port = await listen();
    const connectFor = async (address: string): Promise<StreamPeer> => {
      const peer = await connectTcp(port);
      peer.socket.write(lineFor(address, 4711));
      peer.send([WHOAMI]);
      return peer;
    };
    for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8:1::1', '2001:DB8:0002::1']) {
      await (await connectFor(address)).receive();
    }
    // Not the same text, but the same network.
    await (await connectFor('2001:db8:0:0:2::1')).receive();
    await (await connectFor('2001:0db8:1:0:0:0:0:2')).closed;
    await until(() => logger.warnings.length > 0);
    expect(logger.warnings[0]).to.match(/^refused a connection from 2001:db8:1::2: its address has as many/);
    expect(refusalsOf(server.counters)).to.deep.equal({ maxConnectionsPerAddress: 1 });
  });

  it('counts a connection as soon as it arrives, and closes it for others if it has sent no message', async () => {
    start({ maxConnections: 2 });
    const port = await listen();
    const waiting = await send(port, 'PROXY TCP4');
    await nextTurn();
    const peers = [await connectTcp(port), await connectTcp(port)];
    for (const peer of peers) {
      peer.socket.write(lineFor('192.0.2.7', 4711));
      peer.send([WHOAMI]);
      await peer.receive();
    }
    await untilClosed(waiting);
    await expectRefused('silent', logger.warnings[0]?.replace(/^.*?: /, '') ?? '');
    const late = await connectTcp(port);
    await late.closed;
    await until(() => refusalsOf(server.counters).maxConnections === 1);
    (peers[0] as StreamPeer).close();
    await until(() => (server.commandStats() as { openConnections: number }).openConnections === 1);
    const again = await connectTcp(port);
    again.socket.write(lineFor('192.0.2.7', 4711));
    expect(await again.ask(WHOAMI.toString())).to.include('192.0.2.7');
  });

  it('closes connections with half a header when the listener is closed', async () => {
    const listener = tcp(BEHIND);
    const port = portOf(await server.listen(listener));
    const socket = await send(port, 'PROXY TCP4');
    const peer = await connectTcp(port);
    peer.socket.write(lineFor('192.0.2.7', 4711));
    await peer.ask(WHOAMI.toString());
    await listener.close();
    await untilClosed(socket);
    expect(await peer.ask(WHOAMI.toString())).to.include('"status":"ok"');
  });

  it('refuses an entry that is no address', () => {
    expect(() => tcp({ ...BEHIND, proxies: ['haproxy'] })).to.throw(TypeError, '"haproxy" is no address');
  });
});
