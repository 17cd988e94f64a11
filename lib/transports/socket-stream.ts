/** A TCP or Unix socket as a byte stream. */

import type { Socket } from 'node:net';
import type { ByteSink, ByteStream, StreamEncoding } from '../message/byte-stream.ts';
import { TurnBudget } from '../message/scheduler.ts';
import { type DirectSocket, openDirectly, type Receiver } from './direct-socket.ts';
import { SharedReading } from './shared-reading.ts';

/** Milliseconds of each turn for broken connections: thousands may break at once while others wait. */
const BROKEN_BUDGET_MS = 1;
const brokenSockets = new TurnBudget(BROKEN_BUDGET_MS);

/** Wraps a connected socket. */
export class SocketStream implements ByteStream, Receiver {
  readonly peer: string;
  readonly isFramed = false;
  readonly #socket: Socket;
  readonly #way: 'direct' | 'stream' | SharedReading;
  /** Undefined while the socket is used as a stream. */
  #direct: DirectSocket | undefined;
  /** Undefined before the start and after the end. */
  #sink: ByteSink | undefined;
  #failure: Error | undefined;
  #hasPeerEnded = false;

  /**
   * Open the socket with `allowHalfOpen`. `direct` is for a socket that starts in the turn in which it was accepted;
   * where direct access is not possible, the stream is used. A socket for a shared reading must be paused until it
   * starts.
   */
  constructor(socket: Socket, peer: string, way: 'direct' | 'stream' | SharedReading) {
    this.#socket = socket;
    this.peer = peer;
    this.#way = way;
  }

  get unsentBytes(): number {
    return this.#direct === undefined ? this.#socket.writableLength : this.#direct.unsentBytes;
  }

  start(sink: ByteSink): void {
    const socket = this.#socket;
    this.#sink = sink;
    socket.on('error', (error) => {
      this.#failure = error;
    });
    socket.on('close', () => this.#closed());
    if (this.#way === 'direct') {
      this.#direct = openDirectly(socket, this);
      if (this.#direct !== undefined) return;
    }
    socket.on('end', () => this.ended());
    const receive = (bytes: Uint8Array, end?: number): void => this.data(bytes, end);
    if (this.#way instanceof SharedReading) {
      this.#way.receive = receive;
      socket.resume();
    } else {
      socket.on('data', receive);
    }
  }

  /** Called by the reader of the socket. */
  data(bytes: Uint8Array, end?: number): void {
    this.#sink?.data(bytes, end);
  }

  /**
   * Called by the reader of the socket. A direct socket's readable side never ends, so it would not close by itself
   * once both sides have ended.
   */
  ended(): void {
    this.#hasPeerEnded = true;
    this.#sink?.ended();
    if (this.#socket.writableEnded) this.#socket.destroySoon();
  }

  /** Called by the reader of the socket. */
  failed(error: Error): void {
    this.#failure = error;
    brokenSockets.add(() => {
      this.#closed();
      // Without the error, Node 20 creates a new one for each waiting write.
      this.#socket.destroy(error);
    });
  }

  write(text: string, encoding: StreamEncoding): void {
    if (this.#direct === undefined) this.#socket.write(text, encoding);
    else this.#direct.write(text, encoding);
  }

  whenDrained(callback: () => void): void {
    // The callback of an empty write comes after all earlier writes, direct ones included.
    this.#socket.write('', (error) => {
      if (!error && this.#sink !== undefined) callback();
    });
  }

  pause(): void {
    if (this.#direct === undefined) this.#socket.pause();
    else this.#direct.pause();
  }

  resume(): void {
    if (this.#hasPeerEnded) return;
    if (this.#direct === undefined) this.#socket.resume();
    else this.#direct.resume();
  }

  setReferenced(isReferenced: boolean): void {
    if (isReferenced) this.#socket.ref();
    else this.#socket.unref();
  }

  end(): void {
    if (!this.#hasPeerEnded) this.#socket.end();
    else if (this.#direct !== undefined && this.unsentBytes === 0) this.#socket.destroy();
    else this.#socket.destroySoon();
  }

  destroy(): void {
    // A refused connection was never started, so nobody listens for its errors.
    if (this.#sink === undefined) this.#socket.on('error', () => {});
    this.#socket.destroy();
  }

  #closed(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.closed(this.#failure);
  }
}
