/** A socket of the system, TCP or Unix, as a byte stream. */

import type { Socket } from 'node:net';
import type { ByteSink, ByteStream, StreamEncoding } from '../message/byte-stream.ts';
import { TurnBudget } from '../message/scheduler.ts';
import { type DirectSocket, openDirectly, type Receiver } from './direct-socket.ts';
import { SharedReading } from './shared-reading.ts';

/** Thousands of connections may break in one turn, while others are waiting. In milliseconds of each turn. */
const BROKEN_BUDGET_MS = 1;
const brokenSockets = new TurnBudget(BROKEN_BUDGET_MS);

/** Wraps a connected socket. */
export class SocketStream implements ByteStream, Receiver {
  readonly peer: string;
  readonly isFramed = false;
  readonly #socket: Socket;
  readonly #way: 'direct' | 'stream' | SharedReading;
  /** Undefined where the socket is a stream. */
  #direct: DirectSocket | undefined;
  /** Undefined before the start and after the end. */
  #sink: ByteSink | undefined;
  #failure: Error | undefined;
  #hasPeerEnded = false;

  /**
   * The socket must have been opened with `allowHalfOpen`. One that is started in the turn in which it was accepted may be
   * used `direct`, where that can be done; one that was opened for a shared reading is paused until then.
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

  /** As a receiver: for whoever reads the socket. */
  data(bytes: Uint8Array, end?: number): void {
    this.#sink?.data(bytes, end);
  }

  /** As a receiver. A socket whose readable side never ends does not close by itself once both sides have. */
  ended(): void {
    this.#hasPeerEnded = true;
    this.#sink?.ended();
    if (this.#socket.writableEnded) this.#socket.destroySoon();
  }

  /** As a receiver. */
  failed(error: Error): void {
    this.#failure = error;
    brokenSockets.add(() => {
      this.#closed();
      // Without the error, Node 20 makes one anew for each write that waits.
      this.#socket.destroy(error);
    });
  }

  write(text: string, encoding: StreamEncoding): void {
    if (this.#direct === undefined) this.#socket.write(text, encoding);
    else this.#direct.write(text, encoding);
  }

  whenDrained(callback: () => void): void {
    // An empty write is called back after all writes before it, direct ones included.
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
    // One that is refused was never started, and nobody listens to its errors.
    if (this.#sink === undefined) this.#socket.on('error', () => {});
    this.#socket.destroy();
  }

  #closed(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.closed(this.#failure);
  }
}
