/** Opens a TCP, TLS or Unix socket, and stops trying when the signal aborts. */

import { connect, type NetConnectOpts, type Socket } from 'node:net';
import type { ByteStream } from '../message/byte-stream.ts';
import { withText } from './dial-web-socket.ts';
import { SharedReading, SocketStream } from './socket-stream.ts';

/** Opens a TCP or Unix socket without TLS. Resolves and rejects as `dialSocket` does. */
export function dialPlainSocket(options: NetConnectOpts, peer: string, signal: AbortSignal): Promise<ByteStream> {
  const reading = new SharedReading();
  const open = (): Socket => connect({ ...options, allowHalfOpen: true, onread: reading.onread }).pause();
  return dialSocket(
    open,
    'connect',
    peer,
    signal,
    (socket) => new SocketStream(socket, peer, { sharedReading: reading }),
  );
}

/**
 * Resolves once the socket is ready. `open` must set `allowHalfOpen`. Rejects with the system's error, or with the
 * signal's reason.
 */
export function dialSocket(
  open: () => Socket,
  readyEvent: 'connect' | 'secureConnect',
  peer: string,
  signal: AbortSignal,
  makeStream: (socket: Socket) => ByteStream = (socket) => new SocketStream(socket, peer),
): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = open();
    const abort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', abort);
      reject(withText(error));
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', fail);
    socket.once(readyEvent, () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
      resolve(makeStream(socket));
    });
  });
}
