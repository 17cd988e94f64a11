/** A TCP or Unix socket as a byte stream. */

import { Buffer } from 'node:buffer';
import type { OnReadOpts, Socket } from 'node:net';
import type { ByteSink, ByteStream, StreamEncoding } from '../message/byte-stream.ts';
import type { PeerWatch, Watched, WatchedPeer } from './peer-watch.ts';
import { rawSocketOf } from './tls-failure.ts';

const SHARED_BYTES = 65_536;

let sharedBuffer: Buffer | undefined;

/**
 * Reads a socket that this side opens without Node's streams, by Node's option `onread`, into one buffer that all of them
 * share. A request and its answer then cost a fifth less.
 */
export class SharedReading {
  /** Receives the bytes, which are valid only during the call: the next read overwrites them. Keep the socket paused until it is set. */
  sink: ByteSink | undefined;
  /** Open the socket with this option. */
  readonly onread: OnReadOpts;

  constructor() {
    sharedBuffer ??= Buffer.alloc(SHARED_BYTES);
    this.onread = {
      buffer: sharedBuffer,
      callback: (length, bytes) => {
        this.sink?.data(bytes, length);
        return true;
      },
    };
  }
}

/**
 * Whether a socket whose input has ended was reset. libuv tells of an end as soon as it has read what came before a reset, and would so
 * hide that the client may still rely on its session (S1). A socket that was reset has no peer, which only its handle tells; nor has one
 * that both sides have ended.
 */
export function wasReset(socket: Socket): boolean {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { getpeername?(out: object): number } | null };
  return !socket.writableEnded && handle?.getpeername !== undefined && handle.getpeername({}) !== 0;
}

/** The error that a read of a socket would have told that was reset. */
function resetError(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
}

/** How a socket is read, and who watches it. */
export interface SocketUse {
  /** The socket must be paused until the stream starts. */
  readonly sharedReading?: SharedReading | undefined;
  readonly watch?: PeerWatch | undefined;
}

/** Wraps a connected socket that was opened with `allowHalfOpen`. */
export class SocketStream implements ByteStream, WatchedPeer {
  readonly peer: string;
  readonly isFramed = false;
  /** Undefined before the start and after the end. */
  protected sink: ByteSink | undefined;
  protected hasPeerEnded = false;
  protected readonly socket: Socket;
  readonly #use: SocketUse;
  #watched: Watched | undefined;
  #failure: Error | undefined;

  constructor(socket: Socket, peer: string, use: SocketUse = {}) {
    this.socket = socket;
    this.peer = peer;
    this.#use = use;
  }

  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  get rawSocket(): Socket {
    return rawSocketOf(this.socket);
  }

  get heardMs(): number {
    return this.sink?.heardMs ?? Number.POSITIVE_INFINITY;
  }

  /** By a reset: otherwise the kernel goes on sending the output again. */
  lose(error: Error): void {
    this.#failure = error;
    this.rawSocket.resetAndDestroy();
  }

  reset(): void {
    const { rawSocket } = this;
    // Only TCP has resets, and addresses. Below a TLS socket that dialled Node has no socket of TCP.
    const canReset = rawSocket.remoteAddress !== undefined && !('encrypted' in rawSocket);
    if (canReset) rawSocket.resetAndDestroy();
    else this.destroy();
  }

  start(sink: ByteSink): void {
    const isStarted = this.sink !== undefined;
    this.sink = sink;
    if (this.#use.sharedReading !== undefined) this.#use.sharedReading.sink = sink;
    if (isStarted) return;
    this.#watched = this.#use.watch?.add(this);
    this.socket.on('error', (error) => {
      this.#failure = error;
    });
    this.socket.on('close', () => this.closed(this.#failure));
    this.startReading();
  }

  protected startReading(): void {
    const { socket } = this;
    const { sharedReading } = this.#use;
    socket.on('end', () => {
      if (wasReset(socket)) this.socket.destroy(resetError());
      else this.ended();
    });
    if (sharedReading === undefined) socket.on('data', (bytes) => this.sink?.data(bytes));
    else socket.resume();
  }

  protected ended(): void {
    this.hasPeerEnded = true;
    this.sink?.ended();
    // The readable side of a direct socket never ends, so it would not close by itself once both sides have ended.
    if (this.socket.writableEnded) this.socket.destroySoon();
  }

  protected closed(error: Error | undefined): void {
    const { sink } = this;
    this.sink = undefined;
    if (this.#watched !== undefined) this.#use.watch?.delete(this.#watched);
    this.#watched = undefined;
    sink?.closed(error);
  }

  write(text: string, encoding: StreamEncoding): void {
    this.socket.write(text, encoding);
  }

  whenDrained(callback: () => void): void {
    // The callback of an empty write comes after all earlier writes, direct ones included.
    this.socket.write('', (error) => {
      if (!error && this.sink !== undefined) callback();
    });
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (!this.hasPeerEnded) this.socket.resume();
  }

  setReferenced(isReferenced: boolean): void {
    if (isReferenced) this.socket.ref();
    else this.socket.unref();
  }

  end(): void {
    if (this.hasPeerEnded) this.socket.destroySoon();
    else this.socket.end();
  }

  destroy(): void {
    // A refused connection was never started, so nobody listens for its errors.
    if (this.sink === undefined) this.socket.on('error', () => {});
    this.socket.destroy();
  }
}
