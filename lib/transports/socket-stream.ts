/** A socket of the system, TCP or Unix, as a byte stream. */

import type { Socket } from 'node:net';
import type { ByteSink, ByteStream, StreamEncoding } from '../message/byte-stream.ts';

/** Wraps a connected socket. The socket must have been opened with `allowHalfOpen`. */
export class SocketStream implements ByteStream {
  readonly peer: string;
  readonly isFramed = false;
  readonly #socket: Socket;

  constructor(socket: Socket, peer: string) {
    this.#socket = socket;
    this.peer = peer;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  start(sink: ByteSink): void {
    let failure: Error | undefined;
    this.#socket.on('error', (error) => {
      failure = error;
    });
    this.#socket.on('close', () => sink.closed(failure));
    this.#socket.on('end', () => sink.ended());
    this.#socket.on('data', (bytes: Uint8Array) => sink.data(bytes));
  }

  write(text: string, encoding: StreamEncoding): void {
    this.#socket.write(text, encoding);
  }

  whenDrained(callback: () => void): void {
    // An empty write is called back after all writes before it.
    this.#socket.write('', (error) => {
      if (!error) callback();
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  setReferenced(isReferenced: boolean): void {
    if (isReferenced) this.#socket.ref();
    else this.#socket.unref();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
