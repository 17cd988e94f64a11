/** Opens a socket of the system, TCP or Unix, and gives up when told to. */

import { connect, type NetConnectOpts } from 'node:net';
import type { ByteStream } from '../message/byte-stream.ts';
import { SocketStream } from './socket-stream.ts';

/** Resolves once connected; rejects with the system's error or the signal's reason. */
export function dialSocket(options: NetConnectOpts, peer: string, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect({ ...options, allowHalfOpen: true });
    const abort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', abort);
      reject(error);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
      resolve(new SocketStream(socket, peer));
    });
  });
}
