/**
 * Reads and writes accepted sockets without Node's streams, into one read buffer that all of them share. A request and
 * its answer then cost a quarter less, and losing thousands of connections at once costs far less. Node has no public
 * way to do this for accepted sockets, so this file uses the internals of Node's streams: `WriteWrap` and
 * `streamBaseState` of `process.binding('stream_wrap')`, and of a socket's handle `onread`, `useUserBuffer`,
 * `readStart`, `readStop`, `writeLatin1String` and `writeUtf8String`. Sockets stay streams where one of these is
 * missing, or with `HOLDFAST_SOCKETS=streams` in the environment.
 */

import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { StreamEncoding } from '../message/byte-stream.ts';
import { TurnBudget } from '../message/scheduler.ts';
import { SocketStream, type SocketUse, wasReset } from './socket-stream.ts';

/** The object that Node's own streams use for a connection. */
interface Handle {
  onread: (this: Handle) => void;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** Returns 0, or a negative error number. */
  writeLatin1String(request: WriteRequest, text: string): number;
  writeUtf8String(request: WriteRequest, text: string): number;
  [STREAM]: DirectSocket;
}

/** Identifies a write that the system did not take at once. */
interface WriteRequest {
  oncomplete: (status: number) => void;
}

/** Where Node reports the result of the last read or write. */
interface Internals {
  readonly state: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kBytesWritten: number;
  readonly kLastWriteWasAsync: number;
  readonly WriteWrap: new () => WriteRequest;
}

const STREAM: unique symbol = Symbol('stream');
const BUFFER_BYTES = 65_536;
/** libuv's number for the end of a stream. */
const END_OF_FILE = -4_095;
/** Milliseconds of each turn for broken connections: thousands may break at once while others wait. */
const BROKEN_BUDGET_MS = 1;

const internals = findInternals();
const buffer = Buffer.alloc(internals === undefined ? 0 : BUFFER_BYTES);
const brokenSockets = new TurnBudget(BROKEN_BUDGET_MS);
/** Shared by the writes of all sockets: a write that the system takes at once leaves it unused. */
let spareRequest: WriteRequest | undefined;

/** The stream of a socket that was accepted or connected in this turn and has not been read, open with `allowHalfOpen`. Used directly where that is possible. */
export function acceptedStream(socket: Socket, peer: string, use?: SocketUse): SocketStream {
  const handle = (socket as unknown as { readonly _handle?: unknown })._handle;
  return internals !== undefined && isHandle(handle)
    ? new DirectSocket(socket, peer, handle, use)
    : new SocketStream(socket, peer, use);
}

/** All handles share this function. It must return nothing, since Node would take the result for a new buffer. */
function onRead(this: Handle): void {
  const { state, kReadBytesOrError } = internals as Internals;
  const result = state[kReadBytesOrError] as number;
  if (result !== 0) this[STREAM].received(result);
}

/**
 * A socket whose readable side, as a stream, gets no data and never ends. It closes as a stream does, which first sends
 * the bytes that are unsent here.
 */
class DirectSocket extends SocketStream {
  /**
   * `waiting` from a write that the system did not take at once until all is sent. `clear` saves a look at the stream.
   */
  #state: 'clear' | 'waiting' = 'clear';
  /** The bytes of the one direct write that waits. */
  #pendingBytes = 0;
  /** Whether the next end that is read is one: the socket was reset, too, perhaps after it. */
  #isEndDoubtful = false;
  /** Called when that write is over. */
  readonly #afterPending: (() => void)[] = [];
  readonly #handle: Handle;

  constructor(socket: Socket, peer: string, handle: Handle, use?: SocketUse) {
    super(socket, peer, use);
    this.#handle = handle;
  }

  /**
   * Bytes that the system has not taken yet, all bytes of a half-taken write included. In the writes behind the first,
   * a character counts as one byte.
   */
  override get unsentBytes(): number {
    if (this.#state === 'clear') return 0;
    const bytes = this.#pendingBytes + this.socket.writableLength;
    if (bytes === 0) this.#state = 'clear';
    return bytes;
  }

  protected override startReading(): void {
    const handle = this.#handle;
    handle[STREAM] = this;
    handle.onread = onRead;
    handle.useUserBuffer(buffer);
    handle.readStart();
  }

  override pause(): void {
    if (!this.socket.destroyed) this.#handle.readStop();
  }

  override resume(): void {
    if (!this.hasPeerEnded && !this.socket.destroyed) this.#handle.readStart();
  }

  /** A failed write closes the socket with the error, as in a stream. */
  override write(text: string, encoding: StreamEncoding): void {
    if (this.socket.destroyed) return;
    if (this.unsentBytes > 0) {
      // A stream joins the waiting writes into one. On its own, each would take most of a kilobyte, whatever its
      // length.
      this.socket.write(text, encoding);
      return;
    }
    const { state, kBytesWritten, kLastWriteWasAsync, WriteWrap } = internals as Internals;
    spareRequest ??= new WriteWrap();
    const request = spareRequest;
    const handle = this.#handle;
    const error =
      encoding === 'latin1' ? handle.writeLatin1String(request, text) : handle.writeUtf8String(request, text);
    if (error === 0 && state[kLastWriteWasAsync] === 0) return;
    if (error === 0) this.#await(request, state[kBytesWritten] as number);
    else this.socket.destroy(systemError('write', error));
    spareRequest = undefined;
  }

  /** The system may have taken all of the direct write before Node tells so, and an empty write is over at once then. */
  override whenDrained(callback: () => void): void {
    super.whenDrained(() => {
      if (this.#pendingBytes === 0) callback();
      else this.#afterPending.push(callback);
    });
  }

  override end(): void {
    if (this.hasPeerEnded && this.unsentBytes === 0) this.socket.destroy();
    else super.end();
  }

  /** Called with the number of bytes in the buffer, or with the number of an error. */
  received(result: number): void {
    if (result > 0) this.sink?.data(buffer, result);
    else if (result === END_OF_FILE) this.#endUnlessReset();
    else this.#break(systemError('read', result));
  }

  /** One more read tells an end that a reset followed, as when a process was killed that had not read all, from a reset alone. */
  #endUnlessReset(): void {
    if (this.#isEndDoubtful || !wasReset(this.socket)) {
      this.ended();
      return;
    }
    this.#isEndDoubtful = true;
    this.#handle.readStart();
  }

  #break(error: Error): void {
    brokenSockets.add(() => {
      this.closed(error);
      // Without the error, Node 20 creates a new one for each waiting write.
      this.socket.destroy(error);
    });
  }

  #await(written: WriteRequest, bytes: number): void {
    this.#state = 'waiting';
    this.#pendingBytes = bytes;
    written.oncomplete = (status) => {
      this.#pendingBytes = 0;
      const callbacks = this.#afterPending.splice(0);
      if (status < 0) this.socket.destroy(systemError('write', status));
      else for (const callback of callbacks) callback();
    };
  }
}

function findInternals(): Internals | undefined {
  if (process.env.HOLDFAST_SOCKETS === 'streams') return undefined;
  try {
    const { binding } = process as unknown as { readonly binding: (name: string) => Record<string, unknown> };
    const { streamBaseState, ...members } = binding.call(process, 'stream_wrap');
    const found = { state: streamBaseState, ...members } as unknown as Internals;
    return isUsable(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isUsable({ state, kReadBytesOrError, kBytesWritten, kLastWriteWasAsync, WriteWrap }: Internals): boolean {
  if (!(state instanceof Int32Array) || typeof WriteWrap !== 'function') return false;
  return [kReadBytesOrError, kBytesWritten, kLastWriteWasAsync].every((at) => typeof at === 'number' && at in state);
}

function isHandle(value: unknown): value is Handle {
  if (typeof value !== 'object' || value === null) return false;
  const { onread, useUserBuffer, readStart, readStop, writeLatin1String, writeUtf8String } = value as Partial<Handle>;
  const members = [onread, useUserBuffer, readStart, readStop, writeLatin1String, writeUtf8String];
  return members.every((member) => typeof member === 'function');
}

function systemError(syscall: 'read' | 'write', result: number): Error {
  const code = getSystemErrorName(result);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: result, syscall });
}
