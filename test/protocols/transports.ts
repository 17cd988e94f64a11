import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { FullLockServer, LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { memory } from '../../lib/transports/memory.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { unix } from '../../lib/transports/unix.ts';
import { webSocket } from '../../lib/transports/websocket.ts';
import { makeFolder } from '../server/clean-up.ts';
import { LOOPBACK, portOf } from '../server/running-server.ts';
import { serverIdentity } from '../transports/certificates.ts';
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
  /** Has the server listen there, too. */
  listen(server: FullLockServer, options?: LockListenOptions): Promise<Listening>;
}

/** How to reach a listener. */
export interface Listening {
  readonly connect: Connect;
  /** Connects without WebSocket's handshake. */
  readonly connectRaw: () => Promise<StreamPeer<Duplex>>;
}

const PAGES = { origins: [], hosts: [], maxMessageBytes: DEFAULT_LOCK_SERVER_LIMITS.maxMessageBytes };

/** All of them. */
export const TRANSPORTS: readonly Transport[] = [
  {
    name: 'TCP',
    canHalfClose: true,
    listen: async (server, options) => {
      const port = portOf(await server.listen(tcp(LOOPBACK), options));
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
      const port = portOf(await server.listen(webSocket({ ...LOOPBACK, ...PAGES }), options));
      return { connect: () => connectFrames(`ws://127.0.0.1:${port}`), connectRaw: () => connectTcp(port) };
    },
  },
  {
    name: 'TLS',
    canHalfClose: true,
    listen: async (server, options) => {
      const { tls, ca } = serverIdentity();
      const port = portOf(await server.listen(tcp({ ...LOOPBACK, tls }), options));
      const connect = (): Promise<StreamPeer> => connectSecurely(port, ca);
      return { connect, connectRaw: connect };
    },
  },
  {
    name: 'WebSocket over TLS',
    canHalfClose: false,
    listen: async (server, options) => {
      const { tls, ca } = serverIdentity();
      const port = portOf(await server.listen(webSocket({ ...LOOPBACK, ...PAGES, tls }), options));
      return {
        connect: () => connectFrames(`wss://127.0.0.1:${port}`, { ca }),
        connectRaw: () => connectSecurely(port, ca),
      };
    },
  },
];
