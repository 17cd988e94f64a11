/** Where the leader takes the connections that the other nodes forward. */

import { Buffer } from 'node:buffer';
import type { ByteSink, ByteStream } from '../message/byte-stream.ts';
import { type ConnectionBounds, ConnectionPlaces, Place } from '../message/connection-places.ts';
import { hostOf } from '../message/refusals.ts';
import { startTimeout } from '../message/timeout.ts';
import { WrappedStream } from '../transports/wrapped-stream.ts';
import { type ForwardedOrigin, parseForwardHeader } from './forward-header.ts';

const HEADER_TIMEOUT_MS = 5_000;
/**
 * How many connections may be without a whole header, in all and of one address; the oldest gives way. So many come at once
 * when all clients of a standby connect anew.
 */
const BEGINNING: ConnectionBounds = { maxConnections: 4_096, maxConnectionsPerAddress: 2_048 };
const GAVE_WAY = 'it had sent no whole header when too many others came';

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
  readonly #beginning: ConnectionPlaces;

  constructor(events: ForwardEvents) {
    this.#events = events;
    this.#beginning = new ConnectionPlaces(BEGINNING, ({ address }) => events.refused(address, GAVE_WAY));
  }

  accept(stream: ByteStream): void {
    const place = this.#beginning.take(hostOf(stream.peer), stream);
    if (!(place instanceof Place)) {
      this.#refuse(stream, GAVE_WAY);
      return;
    }
    const forwarded = new ForwardedStream(
      stream,
      (origin) => {
        const isOpen = place.state !== 'free';
        place.free();
        const why = typeof origin === 'string' ? origin : this.#events.forwarded(forwarded, origin);
        // The reason of one that gave way was told.
        if (why !== undefined && isOpen) this.#refuse(stream, why);
      },
      (secret) => this.#events.isRight(secret),
    );
    forwarded.readHeader();
  }

  #refuse(stream: ByteStream, why: string): void {
    this.#events.refused(stream.peer, why);
    stream.destroy();
  }
}

/** A stream behind its header: it tells the address of the client, and begins with the client's first byte. */
class ForwardedStream extends WrappedStream implements ByteSink {
  readonly #whenRead: (origin: ForwardedOrigin | string) => void;
  readonly #isRight: (secret: string) => boolean;
  #bytes: Buffer = Buffer.alloc(0);
  #sink: ByteSink | undefined;
  #peer: string;
  #state: 'header' | 'read' | 'ended' | 'closed' = 'header';
  #stopTimeout: () => void = () => {};

  constructor(
    stream: ByteStream,
    whenRead: (origin: ForwardedOrigin | string) => void,
    isRight: (secret: string) => boolean,
  ) {
    super(stream);
    this.#peer = stream.peer;
    this.#whenRead = whenRead;
    this.#isRight = isRight;
  }

  readHeader(): void {
    this.#stopTimeout = startTimeout(HEADER_TIMEOUT_MS, () =>
      this.#finish(`it sent no whole header within ${HEADER_TIMEOUT_MS} ms`),
    );
    this.stream.start(this);
  }

  override get peer(): string {
    return this.#peer;
  }

  get heardMs(): number {
    return this.#sink?.heardMs ?? Number.POSITIVE_INFINITY;
  }

  override start(sink: ByteSink): void {
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
      this.#peer = header.origin.peer;
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

  #finish(result: ForwardedOrigin | string): void {
    if (this.#state !== 'header') return;
    this.#state = 'read';
    this.#stopTimeout();
    this.#whenRead(result);
  }
}
