/**
 * Accepted sockets past Node's streams: read into one buffer that all of them share, and written to without a stream's
 * book-keeping. That saves a quarter of what it costs to receive a request and to answer it, and most of what it costs to
 * lose thousands of connections at once. Node has no public way to do so for sockets that a server accepts, hence this
 * uses what its own streams use: of `process.binding('stream_wrap')` the class `WriteWrap` and the `streamBaseState` with
 * its places, and of a socket's handle `onread`, `useUserBuffer`, `readStart`, `readStop`, `writeLatin1String` and
 * `writeUtf8String`. Where one of these is missing, and with `HOLDFAST_SOCKETS=streams` in the environment, sockets are
 * streams.
 */

import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { StreamEncoding } from '../message/byte-stream.ts';

/** What is told of what a socket receives. */
export interface Receiver {
  /** The bytes before `end`. They are overwritten when the call returns. */
  data(bytes: Uint8Array, end: number): void;
  /** Nothing more will come. */
  ended(): void;
  /** The connection broke. */
  failed(error: Error): void;
}

/** What Node's own streams know a connection by. */
interface Handle {
  onread: (this: Handle) => void;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** Returns 0, or a negative number for what went wrong. */
  writeLatin1String(request: WriteRequest, text: string): number;
  writeUtf8String(request: WriteRequest, text: string): number;
  [RECEIVER]: Receiver;
}

/** What a write is known by that the system did not take at once. */
interface WriteRequest {
  oncomplete: (status: number) => void;
}

/** Where Node says what became of the last read or write. */
interface Internals {
  readonly state: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kBytesWritten: number;
  readonly kLastWriteWasAsync: number;
  readonly WriteWrap: new () => WriteRequest;
}

const RECEIVER: unique symbol = Symbol('receiver');
const BUFFER_BYTES = 65_536;
/** What libuv calls the end of a stream. */
const END_OF_FILE = -4_095;

const internals = findInternals();
const buffer = Buffer.alloc(internals === undefined ? 0 : BUFFER_BYTES);
/** For the next write of any socket: one that the system takes at once leaves it as it was. */
let spareRequest: WriteRequest | undefined;

/**
 * Reads a socket so from now on, and lets it be written to so; it must have been accepted in this very turn. Undefined when
 * that cannot be done. The socket's own readable side then never gets anything, nor ends.
 */
export function openDirectly(socket: Socket, receiver: Receiver): DirectSocket | undefined {
  const handle = (socket as unknown as { readonly _handle?: unknown })._handle;
  if (internals === undefined || !isHandle(handle)) return undefined;
  handle[RECEIVER] = receiver;
  handle.onread = onRead;
  handle.useUserBuffer(buffer);
  handle.readStart();
  return new DirectSocket(socket, handle);
}

/** One function for all handles, each of which calls it as its own. What it returns would be taken for another buffer. */
function onRead(this: Handle): void {
  const { state, kReadBytesOrError } = internals as Internals;
  const result = state[kReadBytesOrError] as number;
  const receiver = this[RECEIVER];
  if (result > 0) receiver.data(buffer, result);
  else if (result === END_OF_FILE) receiver.ended();
  else if (result < 0) receiver.failed(systemError('read', result));
}

/** The direct side of a socket. To close it is the socket's business, which sends first what is unsent here. */
export class DirectSocket {
  /** `waiting` since a write was not taken at once, until all is found to be sent: only then the stream is looked at. */
  #state: 'clear' | 'waiting' = 'clear';
  /** Of the one direct write that waits. */
  #pendingBytes = 0;
  readonly #socket: Socket;
  readonly #handle: Handle;

  constructor(socket: Socket, handle: Handle) {
    this.#socket = socket;
    this.#handle = handle;
  }

  /** Of writes that the system has not taken yet, or only in part; of those behind the first, a character counts as one. */
  get unsentBytes(): number {
    if (this.#state === 'clear') return 0;
    const bytes = this.#pendingBytes + this.#socket.writableLength;
    if (bytes === 0) this.#state = 'clear';
    return bytes;
  }

  pause(): void {
    if (!this.#socket.destroyed) this.#handle.readStop();
  }

  resume(): void {
    if (!this.#socket.destroyed) this.#handle.readStart();
  }

  /** A write that fails closes the socket with the error, as that of a stream does. */
  write(text: string, encoding: StreamEncoding): void {
    if (this.#socket.destroyed) return;
    if (this.unsentBytes > 0) {
      // A stream joins what has to wait into one write. Each by itself takes most of a kilobyte, whatever its length.
      this.#socket.write(text, encoding);
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
    else this.#fail(error);
    spareRequest = undefined;
  }

  #await(written: WriteRequest, bytes: number): void {
    this.#state = 'waiting';
    this.#pendingBytes = bytes;
    written.oncomplete = (status) => {
      this.#pendingBytes = 0;
      if (status < 0) this.#fail(status);
    };
  }

  #fail(error: number): void {
    this.#socket.destroy(systemError('write', error));
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
