/** A socket of the system, TCP or Unix, as a byte stream. */

import type { Socket } from 'node:net';
import type { ByteSink, ByteStream, StreamEncoding } from '../message/byte-stream.ts';
import { TurnShare } from '../message/turn-share.ts';
import { type DirectSocket, openDirectly } from './direct-socket.ts';
import { SharedReading } from './shared-reading.ts';

/** Thousands of connections may break in one turn: they are told of at once, and their sockets closed bit by bit. */
const brokenSockets = new TurnShare();

/** Wraps a connected socket. */
export class SocketStream implements ByteStream {
  readonly peer: string;
  readonly isFramed = false;
  readonly #socket: Socket;
  readonly #way: 'direct' | 'stream' | SharedReading;
  /** Undefined where the socket is a stream. */
  #direct: DirectSocket | undefined;
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
    let failure: Error | undefined;
    let state: 'open' | 'closed' = 'open';
    const closed = (): void => {
      if (state === 'open') sink.closed(failure);
      state = 'closed';
    };
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('close', closed);
    const ended = (): void => this.#endedByPeer(sink);
    const failed = (error: Error): void => {
      failure = error;
      closed();
      brokenSockets.add(() => socket.destroy());
    };
    if (this.#way === 'direct') {
      this.#direct = openDirectly(socket, { data: (bytes, end) => sink.data(bytes, end), ended, failed });
      if (this.#direct !== undefined) return;
    }
    socket.on('end', ended);
    const receive = (bytes: Uint8Array, end?: number): void => sink.data(bytes, end);
    if (this.#way instanceof SharedReading) {
      this.#way.receive = receive;
      socket.resume();
    } else {
      socket.on('data', receive);
    }
  }

  write(text: string, encoding: StreamEncoding): void {
    if (this.#direct === undefined) this.#socket.write(text, encoding);
    else this.#direct.write(text, encoding);
  }

  whenDrained(callback: () => void): void {
    // An empty write is called back after all writes before it, direct ones included.
    this.#socket.write('', (error) => {
      if (!error) callback();
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
    this.#socket.destroy();
  }

  /** A socket whose readable side never ends does not close by itself once both sides have. */
  #endedByPeer(sink: ByteSink): void {
    this.#hasPeerEnded = true;
    sink.ended();
    if (this.#socket.writableEnded) this.#socket.destroySoon();
  }
}
