import { expect } from 'chai';
import type { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { connectSecurely, connectTcp, type StreamPeer } from '../protocols/peers.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { makeServer, portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refusalsOf } from '../support/refusals.ts';
import { serverIdentity } from './certificates.ts';
import { handshake } from './web-socket-scene.ts';

const HERE = { host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'], handshakeTimeoutMs: 100 };
const PAGES = { origins: [], hosts: [], maxMessageBytes: 1_000 };
const DRIP_MS = 5;
const HALF_HELLO = Buffer.from('16030100c8010000c40303', 'hex');
const HALF_UPGRADE = handshake().slice(0, 30);
const TLS = 'its TLS handshake did not end in time';
const WEB_SOCKET = 'its WebSocket handshake did not end within 100 ms';

describe('a handshake that does not end', () => {
  let server: FullLockServer;
  let logger: RecordingLogger;

  beforeEach(() => {
    logger = new RecordingLogger();
    server = makeServer({ logger });
  });
  afterEach(endTest);

  async function listen(kind: string): Promise<number> {
    const where = kind.includes('TLS') ? { ...HERE, tls: serverIdentity().tls } : HERE;
    return portOf(await server.listen(kind.includes('WebSocket') ? webSocket({ ...where, ...PAGES }) : tcp(where)));
  }

  const connectByTls = (port: number): Promise<StreamPeer> => connectSecurely(port, serverIdentity().ca);
  const kinds: readonly [string, typeof connectTcp, Buffer | string, string][] = [
    ['TLS', connectTcp, HALF_HELLO, TLS],
    ['TLS before WebSocket', connectTcp, HALF_HELLO, TLS],
    ['WebSocket', connectTcp, HALF_UPGRADE, WEB_SOCKET],
    ['WebSocket behind TLS', connectByTls, HALF_UPGRADE, WEB_SOCKET],
  ];
  for (const [kind, connect, half, why] of kinds) {
    const beginnings: readonly [string, Buffer | string, string][] = [
      ['nothing', '', ''],
      ['half of it', half, ''],
      ['half of it and byte after byte', half, 'a'],
    ];
    for (const [what, bytes, drip] of beginnings) {
      it(`of ${kind} is refused, counted and logged when the client sends ${what}`, async () => {
        const { socket, closed } = await connect(await listen(kind));
        socket.write(bytes);
        const timer = setInterval(() => socket.write(drip), DRIP_MS);
        whenTestEnds(() => clearInterval(timer));
        await closed;
        expect(refusalsOf(server.counters)).to.deep.equal({ handshakeTimeout: 1 });
        expect(logger.at('warn').map(({ message }) => message)).to.deep.equal([
          `refused a connection from 127.0.0.1: ${why}`,
        ]);
      });
    }
  }
});
