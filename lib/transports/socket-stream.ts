/** A TCP or Unix socket as a byte stream. */

import { Buffer } from 'node:buffer';
import type { OnReadOpts, Socket } from 'node:net';
import type { ByteSink, ByteStream, StreamEncoding } from '../message/byte-stream.ts';

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

/** Wraps a connected socket that was opened with `allowHalfOpen`. */
export class SocketStream implements ByteStream {
  readonly peer: string;
  readonly isFramed = false;
  /** Undefined before the start and after the end. */
  protected sink: ByteSink | undefined;
  protected hasPeerEnded = false;
  protected readonly socket: Socket;
  readonly #sharedReading: SharedReading | undefined;
  #failure: Error | undefined;

  /** A socket for a shared reading must be paused until it starts. */
  constructor(socket: Socket, peer: string, sharedReading?: SharedReading) {
    this.socket = socket;
    this.peer = peer;
    this.#sharedReading = sharedReading;
  }

  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  start(sink: ByteSink): void {
    this.sink = sink;
    this.socket.on('error', (error) => {
      this.#failure = error;
    });
    this.socket.on('close', () => this.closed(this.#failure));
    this.startReading();
  }

  protected startReading(): void {
    const { socket } = this;
    socket.on('end', () => this.ended());
    if (this.#sharedReading === undefined) {
      socket.on('data', (bytes) => this.sink?.data(bytes));
    } else {
      this.#sharedReading.sink = this.sink;
      socket.resume();
    }
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
