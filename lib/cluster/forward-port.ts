/** Where the leader takes the connections that the other nodes forward. */

import { Buffer } from 'node:buffer';
import type { ByteSink, ByteStream, Completeness, StreamEncoding } from '../message/byte-stream.ts';
import { startTimeout } from '../message/timeout.ts';
import { type ForwardedOrigin, parseForwardHeader } from './forward-header.ts';

const HEADER_TIMEOUT_MS = 5_000;
/** How many connections may be without a whole header. */
const MAX_BEGINNING = 1_000;

/** Receives connections whose header was right. */
export interface ForwardEvents {
  /** Whether a header with this secret comes from a node of the cluster. */
  isRight(secret: string): boolean;
  /** Takes the connection, or returns why it is to be closed. */
  forwarded(stream: ByteStream, origin: ForwardedOrigin): string | undefined;
  /** Why a connection was closed, for the log. */
  refused(peer: string, why: string): void;
}

/** Reads the headers of new connections. */
export class ForwardPort {
  readonly #events: ForwardEvents;
  #beginningCount = 0;

  constructor(events: ForwardEvents) {
    this.#events = events;
  }

  accept(stream: ByteStream): void {
    if (this.#beginningCount >= MAX_BEGINNING) {
      this.#events.refused(stream.peer, `${MAX_BEGINNING} connections have sent no whole header`);
      stream.destroy();
      return;
    }
    this.#beginningCount += 1;
    const forwarded = new ForwardedStream(
      stream,
      (origin) => {
        this.#beginningCount -= 1;
        const why = typeof origin === 'string' ? origin : this.#events.forwarded(forwarded, origin);
        if (why === undefined) return;
        this.#events.refused(stream.peer, why);
        stream.destroy();
      },
      (secret) => this.#events.isRight(secret),
    );
    forwarded.readHeader();
  }
}

/** A stream behind its header: it tells the address of the client, and begins with the client's first byte. */
class ForwardedStream implements ByteStream, ByteSink {
  peer: string;
  readonly isFramed = false;
  readonly #stream: ByteStream;
  readonly #whenRead: (origin: ForwardedOrigin | string) => void;
  readonly #isRight: (secret: string) => boolean;
  #bytes: Buffer = Buffer.alloc(0);
  #sink: ByteSink | undefined;
  #state: 'header' | 'read' | 'ended' | 'closed' = 'header';
  #stopTimeout: () => void = () => {};

  constructor(
    stream: ByteStream,
    whenRead: (origin: ForwardedOrigin | string) => void,
    isRight: (secret: string) => boolean,
  ) {
    this.peer = stream.peer;
    this.#stream = stream;
    this.#whenRead = whenRead;
    this.#isRight = isRight;
  }

  readHeader(): void {
    this.#stopTimeout = startTimeout(HEADER_TIMEOUT_MS, () =>
      this.#finish(`it sent no whole header within ${HEADER_TIMEOUT_MS} ms`),
    );
    this.#stream.start(this);
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  get heardMs(): number {
    return this.#sink?.heardMs ?? Number.POSITIVE_INFINITY;
  }

  start(sink: ByteSink): void {
    this.#sink = sink;
    if (this.#bytes.length > 0) sink.data(this.#bytes);
    this.#bytes = Buffer.alloc(0);
    if (this.#state === 'ended') sink.ended();
  }

  data(bytes: Uint8Array, end: number = bytes.length): void {
    if (this.#sink !== undefined) {
      this.#sink.data(bytes, end);
      return;
    }
    // The bytes may be overwritten once this returns.
    this.#bytes = Buffer.concat([this.#bytes, bytes.subarray(0, end)]);
    if (this.#state !== 'header') return;
    const header = parseForwardHeader(this.#bytes);
    if (header === 'partial') return;
    if (header === 'broken') {
      this.#finish('it did not begin with the header of a node that stands by');
    } else if (this.#isRight(header.secret)) {
      this.#bytes = this.#bytes.subarray(header.length);
      this.peer = header.origin.peer;
      this.#finish(header.origin);
    } else {
      this.#finish('its header is not for this leader');
    }
  }

  ended(): void {
    if (this.#state === 'header') this.#finish('it ended within its header');
    this.#state = 'ended';
    this.#sink?.ended();
  }

  closed(error: Error | undefined): void {
    if (this.#state === 'header') this.#finish('it was closed within its header');
    this.#state = 'closed';
    this.#sink?.closed(error);
  }

  write(text: string, encoding: StreamEncoding, completeness?: Completeness): void {
    this.#stream.write(text, encoding, completeness);
  }

  whenDrained(callback: () => void): void {
    this.#stream.whenDrained(callback);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  setReferenced(isReferenced: boolean): void {
    this.#stream.setReferenced?.(isReferenced);
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  reset(): void {
    if (this.#stream.reset === undefined) this.#stream.destroy();
    else this.#stream.reset();
  }

  #finish(result: ForwardedOrigin | string): void {
    if (this.#state !== 'header') return;
    this.#state = 'read';
    this.#stopTimeout();
    this.#whenRead(result);
  }
}
