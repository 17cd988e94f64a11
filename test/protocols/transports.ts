import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { FullLockServer, type LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, type LockServerOptions } from '../../lib/server/lock-server.ts';
import { memory } from '../../lib/transports/memory.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { unix } from '../../lib/transports/unix.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { Authority } from '../transports/certificates.ts';
import {
  type Connect,
  connectFrames,
  connectInMemory,
  connectSecurely,
  connectTcp,
  connectUnix,
  type StreamPeer,
} from './peers.ts';

/** One way to reach a server. */
export interface Transport {
  readonly name: string;
  /** Whether a client can close its side and go on reading. */
  readonly canHalfClose: boolean;
  /** Has the server listen there too. */
  listen(server: FullLockServer, options?: LockListenOptions): Promise<Listening>;
}

/** How to reach a listener. */
export interface Listening {
  readonly connect: Connect;
  /** As bytes, without WebSocket's handshake. */
  readonly connectRaw: () => Promise<StreamPeer<Duplex>>;
}

const HERE = { host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] };
const PAGES = { origins: [], hosts: [], maxMessageBytes: DEFAULT_LOCK_SERVER_LIMITS.maxMessageBytes };

/** All of them. */
export const TRANSPORTS: readonly Transport[] = [
  {
    name: 'TCP',
    canHalfClose: true,
    listen: async (server, options) => {
      const port = portOf(await server.listen(tcp(HERE), options));
      return { connect: () => connectTcp(port), connectRaw: () => connectTcp(port) };
    },
  },
  {
    name: 'a Unix socket',
    canHalfClose: true,
    listen: async (server, options) => {
      const folder = makeFolder();
      const path = await server.listen(unix({ path: join(folder, 'lock.sock') }), options);
      return {
        connect: (connectionNumber) => connectUnix(path, connectionNumber),
        connectRaw: () => connectUnix(path, 1),
      };
    },
  },
  {
    name: 'memory',
    canHalfClose: true,
    listen: async (server, options) => {
      const listener = memory();
      await server.listen(listener, options);
      const connect = (): Promise<StreamPeer<Duplex>> => connectInMemory(listener);
      return { connect, connectRaw: connect };
    },
  },
  {
    name: 'WebSocket',
    canHalfClose: false,
    listen: async (server, options) => {
      const port = portOf(await server.listen(webSocket({ ...HERE, ...PAGES }), options));
      return { connect: () => connectFrames(`ws://127.0.0.1:${port}`), connectRaw: () => connectTcp(port) };
    },
  },
  {
    name: 'TLS',
    canHalfClose: true,
    listen: async (server, options) => {
      const authority = new Authority();
      const port = portOf(await server.listen(tcp({ ...HERE, tls: authority.issue('server') }), options));
      const connect = (): Promise<StreamPeer> => connectSecurely(port, authority.cert);
      return { connect, connectRaw: connect };
    },
  },
  {
    name: 'WebSocket over TLS',
    canHalfClose: false,
    listen: async (server, options) => {
      const authority = new Authority();
      const tls = authority.issue('server');
      const port = portOf(await server.listen(webSocket({ ...HERE, ...PAGES, tls }), options));
      return {
        connect: () => connectFrames(`wss://127.0.0.1:${port}`, { ca: authority.cert }),
        connectRaw: () => connectSecurely(port, authority.cert),
      };
    },
  },
];

/** A silent server without listeners, closed when the test ends; its tokens are 1, 2, 3 and so on. */
export function makeServer(options: LockServerOptions = {}): FullLockServer {
  let token = 0;
  const manager = new LocalLockManager({
    limits: { ...DEFAULT_LOCK_SERVER_LIMITS, ...options.limits },
    nextToken: () => {
      token += 1;
      return token;
    },
  });
  const server = new FullLockServer({ logger: new RecordingLogger(), ...options, manager });
  whenTestEnds(() => server.close());
  return server;
}

/** Waits until the server has that many connections. */
export async function untilConnections(server: FullLockServer, count: number): Promise<void> {
  await until(() => (server.commandStats() as { openConnections: number }).openConnections === count);
}
