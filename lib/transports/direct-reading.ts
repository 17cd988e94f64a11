/**
 * Reads accepted sockets past Node's streams, into one buffer that all of them share: that saves a fifth of what it costs
 * to receive a request and to answer it, and most of what it costs to lose thousands of connections at once. Node has no
 * public way to do so for sockets that a server accepts, hence this uses what its own streams use: `process.binding`,
 * and of a socket's handle `onread`, `useUserBuffer`, `readStart` and `readStop`. Where one of these is missing, and with
 * `HOLDFAST_READING=streams` in the environment, sockets are read as streams.
 */

import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';

/** What is told of what a socket receives. */
export interface Receiver {
  /** The bytes before `end`. They are overwritten when the call returns. */
  data(bytes: Uint8Array, end: number): void;
  /** Nothing more will come. */
  ended(): void;
  /** The connection broke. */
  failed(error: Error): void;
}

/** How the reading of one socket is stopped and taken up again. */
export interface Reading {
  pause(): void;
  resume(): void;
}

/** What Node's own streams know a connection by. */
interface Handle {
  onread: (this: Handle) => void;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
}

/** Where Node says how much was read, or by a negative number what went wrong. */
interface ReadState {
  readonly values: Int32Array;
  readonly index: number;
}

const BUFFER_BYTES = 65_536;
/** What libuv calls the end of a stream. */
const END_OF_FILE = -4_095;

const readState = findReadState();
const buffer = Buffer.alloc(readState === undefined ? 0 : BUFFER_BYTES);

/**
 * Reads a socket so, which must have been accepted in this very turn; undefined when that cannot be done. The socket's
 * own readable side then never gets anything, nor ends.
 */
export function readDirectly(socket: Socket, receiver: Receiver): Reading | undefined {
  const handle = (socket as unknown as { readonly _handle?: unknown })._handle;
  if (readState === undefined || !isHandle(handle)) return undefined;
  const { values, index } = readState;
  // What it returns would be taken for another buffer.
  handle.onread = () => {
    const result = values[index] as number;
    if (result > 0) receiver.data(buffer, result);
    else if (result === END_OF_FILE) receiver.ended();
    else if (result < 0) receiver.failed(readError(result));
  };
  handle.useUserBuffer(buffer);
  handle.readStart();
  return {
    pause: () => {
      if (!socket.destroyed) handle.readStop();
    },
    resume: () => {
      if (!socket.destroyed) handle.readStart();
    },
  };
}

function findReadState(): ReadState | undefined {
  if (process.env.HOLDFAST_READING === 'streams') return undefined;
  try {
    const { binding } = process as unknown as { readonly binding: (name: string) => Record<string, unknown> };
    const { streamBaseState: values, kReadBytesOrError: index } = binding.call(process, 'stream_wrap');
    return values instanceof Int32Array && typeof index === 'number' && index in values ? { values, index } : undefined;
  } catch {
    return undefined;
  }
}

function isHandle(value: unknown): value is Handle {
  if (typeof value !== 'object' || value === null) return false;
  const { onread, useUserBuffer, readStart, readStop } = value as Partial<Handle>;
  return [onread, useUserBuffer, readStart, readStop].every((member) => typeof member === 'function');
}

function readError(result: number): Error {
  const code = getSystemErrorName(result);
  return Object.assign(new Error(`read ${code}`), { code, errno: result, syscall: 'read' });
}
