/** What messages travel on: the interfaces that the transports implement, so that nothing here depends on one. */

import type { StreamEncoding } from '../wire/codec.ts';
import type { Occupant, Place } from './connection-places.ts';
import type { ConnectionRefusalReason, Refusal, RefusalCause } from './refusals.ts';

export type { StreamEncoding };

/** Whether a write ends what it belongs to. */
export type Completeness = 'complete' | 'continued';

/** One connection as a stream of bytes. */
export interface ByteStream {
  /** Where the other end is, for people: `127.0.0.1:50123`. */
  readonly peer: string;
  /** Bytes that were written and that the system has not taken yet. */
  readonly unsentBytes: number;
  /** On a framed stream: how many bytes have come of a frame that is not whole. */
  readonly partialBytes?: number;
  /** Begins to read. Where a client has dialled, a further call hands on to another sink. */
  start(sink: ByteSink): void;
  /** Whether each write arrives as one frame; otherwise writes run together. */
  readonly isFramed: boolean;
  /**
   * Sends text: in UTF-8, or in Latin-1 where each character stands for a byte. On a framed stream, what is not complete
   * is continued by the next write.
   */
  write(text: string, encoding: StreamEncoding, completeness?: Completeness): void;
  /** Calls back once everything written so far is with the system; never if the stream closes before. */
  whenDrained(callback: () => void): void;
  pause(): void;
  resume(): void;
  /** Whether the stream keeps the process alive; streams that never do have none. */
  setReferenced?(isReferenced: boolean): void;
  /** Sends what was written, then closes this side. */
  end(): void;
  /** Closes at once, whatever was not sent. */
  destroy(): void;
  /** Closes at once, and the other side does not take it for the end of what it serves; not every stream can. */
  reset?(): void;
}

/** Receives the bytes of a stream. */
export interface ByteSink {
  /** When the peer was last heard, in milliseconds as `performance.now` tells them. */
  readonly heardMs?: number;
  /** Receives the bytes before `end`, or all of them. They may be overwritten once the call returns. */
  data(bytes: Uint8Array, end?: number): void;
  /** `partialBytes` of the stream has changed. */
  partialBytesChanged?(): void;
  /** The other side will send no more. */
  ended(): void;
  /** The stream is gone, by an error if one is given. Called once, last. */
  closed(error: Error | undefined): void;
}

/** Where connections come from. */
export interface Listener {
  /** Starts to listen; resolves to the address for people. Rejects with the system's error, such as `EADDRINUSE`. */
  open(events: ListenerEvents): Promise<string>;
  /** Stops to listen. Connections that are there stay. */
  close(): Promise<void>;
}

/** Receives the connections of a listener. */
export interface ListenerEvents {
  /** A connection can be served. Takes a place for it unless one is given. */
  accepted(stream: ByteStream, place?: Place): void;
  /** The listener rejected a connection, before accepting it or because of its first bytes. */
  refused(refusal: Refusal<ConnectionRefusalReason>): void;
  /**
   * A connection has come whose handshake comes first. Takes a place for it, or returns why there is none. The listener
   * frees the place when the socket closes.
   */
  arrived?(address: string, socket: Occupant): Place | RefusalCause<ConnectionRefusalReason>;
  /** The operator may want to know this of a connection that was taken. */
  noticed?(details: object, message: string): void;
  /** A connection could not be accepted, for want of file descriptors, say; others may be. */
  failed(error: Error): void;
}

/** Opens one connection; rejects with the system's error or with the signal's reason. */
export type Dialer = (signal: AbortSignal) => Promise<ByteStream>;
