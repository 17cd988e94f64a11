/**
 * Opens connections of a server that forwards those of its clients: past Node's streams where that is possible. Not in
 * `dial-socket.ts`, because clients load that, and have no use for Node's internals.
 */

import { connect, type NetConnectOpts, type Socket } from 'node:net';
import type { ByteStream } from '../message/byte-stream.ts';
import { dialSocket } from './dial-socket.ts';
import { acceptedStream } from './direct-socket.ts';

/** Resolves and rejects as `dialSocket` does. */
export function dialDirectSocket(options: NetConnectOpts, peer: string, signal: AbortSignal): Promise<ByteStream> {
  const open = (): Socket => connect({ ...options, allowHalfOpen: true }).pause();
  return dialSocket(open, 'connect', peer, signal, (socket) => acceptedStream(socket, peer));
}
