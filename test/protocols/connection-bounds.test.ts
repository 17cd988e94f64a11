import { networkInterfaces } from 'node:os';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import type { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import type { MessageLimits } from '../../lib/message/message-limits.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { endTest } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';
import { makeServer, portOf, untilConnections } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { serverIdentity } from '../transports/certificates.ts';
import { handshake } from '../transports/web-socket-scene.ts';
import { connectSecurely, connectTcp, type Peer, type StreamPeer } from './peers.ts';
import { TRANSPORTS } from './transports.ts';

const HERE = { host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] };
const PAGES = { origins: [], hosts: [], maxMessageBytes: 1_000 };
const PING = Buffer.from('{"command":"ping","id":1}');

/** Sends a message, so that the connection does not give way. */
async function speak(peer: Peer): Promise<void> {
  peer.send([PING]);
  await peer.receive(1);
}

describe('the bounds on connections', () => {
  let logger: RecordingLogger;
  let server: FullLockServer;
  afterEach(endTest);

  function serve(limits: Partial<MessageLimits>): FullLockServer {
    logger = new RecordingLogger();
    server = makeServer({ logger, limits });
    return server;
  }

  const warnings = (): string[] => logger.at('warn').map(({ message }) => message);

  for (const transport of TRANSPORTS) {
    it(`close the oldest connection on ${transport.name} that has sent no message, for a new one`, async () => {
      const { connect } = await transport.listen(serve({ maxConnections: 4 }));
      const [first, second, third, fourth] = [await connect(1), await connect(2), await connect(3), await connect(4)];
      await untilConnections(server, 4);
      await speak(first);
      await speak(await connect(5));
      await second.closed;
      await speak(await connect(6));
      await third.closed;
      for (const peer of [first, fourth]) await speak(peer);
      expect(refusalsOf(server.counters)).to.deep.equal({ silent: 2 });
      expect(warnings()).to.have.lengthOf(1);
      expect(warnings()[0]).to.include(
        'it had sent no message, and a new one came: there are as many connections already as maxConnections, 4; to allow it, raise "limits.maxConnections" in the settings',
      );
    });
  }

  it('close connections that have sent half a message rather than refuse a new one', async () => {
    const { connect, connectRaw } = await (TRANSPORTS[0] as (typeof TRANSPORTS)[0]).listen(
      serve({ maxConnections: 2 }),
    );
    const [half, blank] = [await connectRaw(), await connectRaw()];
    half.socket.write('{"comm');
    blank.socket.write(' ');
    await untilConnections(server, 2);
    await speak(await connect(3));
    await speak(await connect(4));
    await Promise.all([half.closed, blank.closed]);
    expect(refusalsOf(server.counters)).to.deep.equal({ silent: 2 });
  });

  describe('on handshakes that are not over', () => {
    const half = handshake().slice(0, 30);
    const connectByTls = (port: number): Promise<StreamPeer> => connectSecurely(port, serverIdentity().ca);
    const open: readonly [string, typeof connectTcp, 'tcp' | 'webSocket', 'plain' | 'secure', string][] = [
      ['of TLS of which nothing has come', connectTcp, 'tcp', 'secure', ''],
      ['of TLS of which half has come', connectTcp, 'tcp', 'secure', '\x16\x03\x01\x00\xc8\x01'],
      ['of WebSocket of which nothing has come', connectTcp, 'webSocket', 'plain', ''],
      ['of WebSocket of which half has come', connectTcp, 'webSocket', 'plain', half],
      ['of TLS before that of WebSocket', connectTcp, 'webSocket', 'secure', ''],
      ['of WebSocket behind that of TLS', connectByTls, 'webSocket', 'secure', half],
    ];

    async function listen(transport: 'tcp' | 'webSocket', kind: 'plain' | 'secure'): Promise<number> {
      const where = { ...HERE, tls: kind === 'secure' ? serverIdentity().tls : undefined };
      return portOf(await server.listen(transport === 'tcp' ? tcp(where) : webSocket({ ...where, ...PAGES })));
    }

    for (const [what, connect, transport, kind, bytes] of open) {
      it(`include those ${what}, and the oldest is closed for a new connection`, async () => {
        serve({ maxConnections: 3 });
        const plainPort = portOf(await server.listen(tcp(HERE)));
        const port = await listen(transport, kind);
        const [first, second] = [await connect(port), await connect(port)];
        for (const { socket } of [first, second]) socket.write(bytes);
        const speakers = [await connectTcp(plainPort), await connectTcp(plainPort), await connectTcp(plainPort)];
        for (const speaker of speakers) await speak(speaker);
        await Promise.all([first.closed, second.closed]);
        expect(refusalsOf(server.counters)).to.deep.equal({ silent: 2 });
        speakers[0]?.close();
        await untilConnections(server, 2);
        await speak(await connectTcp(plainPort));
      });
    }

    it('end without keeping a place when they fail', async () => {
      serve({ maxConnections: 2 });
      const plainPort = portOf(await server.listen(tcp(HERE)));
      const failing: readonly ['tcp' | 'webSocket', 'plain' | 'secure', string][] = [
        ['tcp', 'secure', 'tlsExpected'],
        ['webSocket', 'plain', 'webSocketHandshake'],
        ['webSocket', 'secure', 'tlsExpected'],
      ];
      const refusals: Record<string, number> = {};
      for (const [transport, kind, reason] of failing) {
        const port = await listen(transport, kind);
        for (let count = 0; count < 2; count += 1) {
          const { socket, closed } = await connectTcp(port);
          socket.write('g jobs\n');
          await closed;
          refusals[reason] = (refusals[reason] ?? 0) + 1;
        }
      }
      for (let count = 0; count < 2; count += 1) await speak(await connectTcp(plainPort));
      expect(refusalsOf(server.counters)).to.deep.equal(refusals);
    });

    it('end in a refusal when the server is told to stop meanwhile', async () => {
      serve({});
      const holder = await RawClient.connect(portOf(await server.listen(tcp(HERE))));
      await holder.take('jobs');
      const early = await RawClient.connect(await listen('tcp', 'secure'));
      const { closed } = early;
      await holder.settle();
      const closing = server.close({ drainMs: 10_000 });
      connectTls({ socket: early.socket, ca: serverIdentity().ca, host: '127.0.0.1' }).on('error', () => {});
      await closed;
      expect(refusalsOf(server.counters)).to.deep.equal({ draining: 1 });
      holder.socket.destroy();
      await closing;
    });

    it('refuse a connection before the handshake of TLS where all others have sent a message', async () => {
      serve({ maxConnections: 1 });
      await speak(await connectTcp(portOf(await server.listen(tcp(HERE)))));
      const port = await listen('tcp', 'secure');
      await (await connectTcp(port)).closed;
      expect(refusalsOf(server.counters)).to.deep.equal({ maxConnections: 1 });
    });

    it('let 16 at a time of WebSocket go on without a place, so that they can be told why', async () => {
      serve({ maxConnections: 1 });
      await speak(await connectTcp(portOf(await server.listen(tcp(HERE)))));
      const port = await listen('webSocket', 'plain');
      const peers: StreamPeer[] = [];
      while (peers.length < 18) peers.push(await connectTcp(port));
      await Promise.all(peers.slice(16).map(({ closed }) => closed));
      expect(refusalsOf(server.counters)).to.deep.equal({ maxConnections: 2 });
      expect(await answerTo(peers[0] as StreamPeer))
        .to.match(/^HTTP\/1\.1 503 /)
        .and.include('maxConnections, 1');
      expect(await answerTo(await connectTcp(port))).to.match(/^HTTP\/1\.1 503 /);
      expect(refusalsOf(server.counters)).to.deep.equal({ maxConnections: 4 });
    });

    /** What the handshake of WebSocket is answered. */
    async function answerTo({ socket, closed }: StreamPeer): Promise<string> {
      let answer = '';
      socket.on('data', (text) => {
        answer += text.toString();
      });
      socket.write(handshake());
      await closed;
      return answer;
    }
  });

  describe('of one address', () => {
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const address = addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '';
    let port: number;

    beforeEach(async function () {
      // Loopback has no such bound, so this needs a network.
      if (address === '') this.skip();
      serve({ maxConnections: 5, maxConnectionsPerAddress: 2 });
      const allowed = [address, '127.0.0.1'];
      port = portOf(await server.listen(tcp({ host: '0.0.0.0', port: 0, allowed })));
    });

    const connectFrom = (localAddress: string): Promise<RawClient> =>
      RawClient.connect(port, { host: localAddress, localAddress });

    it('refuse a further connection from there, but none from elsewhere', async () => {
      const peers = [await connectFrom(address), await connectFrom(address)];
      for (const peer of peers) await peer.settle();
      const refused = await connectFrom(address);
      await refused.closed;
      expect(refused.bytesReceived).to.equal(0);
      const others = [await connectFrom('127.0.0.1'), await connectFrom('127.0.0.1'), await connectFrom('127.0.0.1')];
      for (const peer of [...peers, ...others]) await peer.settle();
      expect(refusalsOf(server.counters)).to.deep.equal({ maxConnectionsPerAddress: 1 });
      expect(warnings()).to.deep.equal([
        `refused a connection from ${address}: its address has as many connections already as maxConnectionsPerAddress, 2; to allow it, raise "limits.maxConnectionsPerAddress" in the settings`,
      ]);
      peers[0]?.reset();
      await untilConnections(server, 4);
      await (await connectFrom(address)).settle();
    });

    it('close the oldest connection of that address that has sent no message, but none from elsewhere', async () => {
      const elsewhere = await connectFrom('127.0.0.1');
      const [first, second] = [await connectFrom(address), await connectFrom(address)];
      await (await connectFrom(address)).settle();
      await first.closed;
      for (const peer of [elsewhere, second]) await peer.settle();
      expect(refusalsOf(server.counters)).to.deep.equal({ silent: 1 });
    });
  });
});
