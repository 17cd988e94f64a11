import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import { createWebSocketStream, WebSocket } from 'ws';
import type { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import type { ByteStream } from '../../lib/message/byte-stream.ts';
import { PeerWatch } from '../../lib/transports/peer-watch.ts';
import type { SocketStream } from '../../lib/transports/socket-stream.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { readTcpTable, tcpRowOf } from '../../lib/transports/tcp-table.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { frame } from '../protocols/prefixed-client.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';
import { type Message, RawClient, until } from '../server/raw-client.ts';
import { makeServer, portOf } from '../server/running-server.ts';
import { serverIdentity } from './certificates.ts';
import { FarHost, needsFarHost } from './far-host.ts';

/** The kernel sends data again after 0.2, 0.6 and 1.4 s, so a host is given up after the third time. */
const QUICK = { silentMs: 100, lookMs: 100, looks: 3, retransmissions: 2 };

/** More than the kernels of both ends take. */
const MUCH = 64_000_000;

/** Both ends of a connection without a lock server. */
interface Connection {
  readonly socket: Socket;
  readonly stream: SocketStream;
  /** Resolves when the near end is gone. */
  readonly closed: Promise<Error | undefined>;
}

function lockMessage(lockName: string): string {
  return JSON.stringify({ command: 'lock', parameters: { lockName }, id: lockName });
}

type Request = (lockName: string) => string | Uint8Array;
const line: Request = (lockName) => `g ${lockName}\n`;
const message: Request = (lockName) => `${lockMessage(lockName)}\n`;

function overTls(socket: Socket): Duplex {
  return connectTls({ socket, rejectUnauthorized: false });
}

function overWebSocket(socket: Socket): Duplex {
  return createWebSocketStream(new WebSocket('ws://localhost', { createConnection: () => socket }));
}

describe('a host that vanished while output was on its way to it', () => {
  let host: FarHost;
  let server: FullLockServer;
  let watch: PeerWatch;
  let address: string;

  before(function () {
    needsFarHost(this);
  });
  beforeEach(async () => {
    host = new FarHost();
    watch = new PeerWatch(QUICK);
    server = makeServer();
    address = await server.listen(tcp(place(), watch));
  });
  afterEach(endTest);

  function place(): { host: string; port: number; allowed: string[] } {
    return { host: host.nearAddress, port: 0, allowed: ['198.18.0.0/15'] };
  }

  async function listenElsewhere(kind: 'TLS' | 'WebSocket'): Promise<number> {
    const pages = { origins: [], hosts: [], maxMessageBytes: 1_000 };
    const listener =
      kind === 'TLS'
        ? tcp({ ...place(), tls: serverIdentity().tls }, watch)
        : webSocket({ ...place(), ...pages }, watch);
    return portOf(await server.listen(listener));
  }

  it('loses its locks, by each protocol', async () => {
    const dial = await host.dialer(portOf(address));
    const dialTls = await host.dialer(await listenElsewhere('TLS'));
    const dialWebSocket = await host.dialer(await listenElsewhere('WebSocket'));
    const clients: readonly (readonly [string, Duplex, Request])[] = [
      ['lines', await dial(), line],
      ['messages', await dial(), message],
      ['frames', await dial(), (lockName) => frame(lockMessage(lockName))],
      ['TLS', overTls(await dialTls()), line],
      ['WebSocket', overWebSocket(await dialWebSocket()), message],
    ];
    const near = await RawClient.connect(address);
    for (const [name, client, request] of clients) {
      whenTestEnds(() => client.destroy());
      client.on('error', () => {});
      client.write(request(`held-${name}`));
      await once(client, 'data');
      await near.queue(name, `held-${name}`);
    }
    host.deafen();
    for (const [name, client, request] of clients) client.write(request(`further-${name}`));
    const granted = (await near.nextMany(clients.length)).map(({ id }) => id);
    expect(granted).to.have.members(clients.map(([name]) => name));
  });

  it('may resume its session', async () => {
    const dial = await host.dialer(portOf(address));
    const [far, near] = [new RawClient(await dial()), await RawClient.connect(address)];
    const { session } = await far.ask('hello', { protocol: 1, session: {} });
    const token = await far.take('jobs');
    host.deafen();
    far.write(message('more'));
    await until(async () => (await near.ask('stats')).suspendedSessions === 1);
    const { id, secret } = session as { id: string; secret: string };
    const resume = { id, secret, holds: [token], requests: ['more'] };
    const { session: resumed } = await near.ask('hello', { protocol: 1, session: resume });
    expect(resumed).to.include({ state: 'resumed' });
    expect((resumed as { answers: Message[] }).answers.map((answer) => answer.id)).to.deep.equal(['more']);
  });

  /** Connects from that host to a listener whose connections the test serves by hand. */
  async function connectByHand(far: FarHost, watchedBy: PeerWatch): Promise<Connection> {
    const listener = tcp({ ...place(), host: far.nearAddress }, watchedBy);
    whenTestEnds(() => listener.close());
    const streams = new Inbox<ByteStream>();
    const events = { accepted: (stream: ByteStream) => streams.push(stream), refused: () => {}, failed: () => {} };
    const dial = await far.dialer(portOf(await listener.open(events)));
    const socket = await dial();
    const stream = (await streams.next()) as SocketStream;
    whenTestEnds(() => stream.destroy());
    const closed = new Promise<Error | undefined>((resolve) => {
      stream.start({ heardMs: performance.now(), data: () => {}, ended: () => {}, closed: resolve });
    });
    // The kernel measures how long an answer takes.
    stream.write('first', 'latin1');
    await once(socket, 'data');
    return { socket, stream, closed };
  }

  it('is told from one that does not read', async () => {
    const paused = await connectByHand(host, watch);
    paused.socket.pause();
    paused.stream.write('x'.repeat(MUCH), 'latin1');
    const other = new FarHost();
    const vanished = await connectByHand(other, watch);
    other.cut();
    vanished.stream.write('lost', 'latin1');
    expect(await vanished.closed).to.include({ code: 'ETIMEDOUT' });
    expect(paused.stream.unsentBytes).to.be.above(0);
    let received = 0;
    paused.socket.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    paused.socket.resume();
    await Promise.race([until(() => received === MUCH), paused.closed]);
    expect(received).to.equal(MUCH);
  });

  it('is told from one that is back in time', async () => {
    const { socket, stream, closed } = await connectByHand(host, new PeerWatch({ ...QUICK, retransmissions: 5 }));
    host.cut();
    stream.write('again', 'latin1');
    await until(() => isSentAgain(stream));
    host.plug();
    const [bytes] = await Promise.race([once(socket, 'data'), closed.then((error) => [error])]);
    expect(String(bytes)).to.equal('again');
  });
});

async function isSentAgain({ rawSocket }: SocketStream): Promise<boolean> {
  let count = 0;
  await readTcpTable('/proc/self/net/tcp', ({ key, unansweredCount }) => {
    if (key === tcpRowOf(rawSocket)?.key) count = unansweredCount;
  });
  return count > 0;
}
