/**
 * One connection as messages: a byte stream, a codec, and limits to what is unsent. All that a client needs; knows
 * nothing of commands.
 */

import type { Codec } from '../wire/codec.ts';
import { type ProtocolError, RequestError } from '../wire/errors.ts';
import type { ByteSink, ByteStream, Completeness } from './byte-stream.ts';
import type { PendingResult } from './pending-result.ts';
import { startTimeout } from './timeout.ts';
import { type Flushable, flushAtEndOfTurn, takeTurn } from './turn.ts';
import type { TurnShare } from './turn-share.ts';

/** What a connection may use at most, in bytes (text counts a character as one) and milliseconds. */
export interface StreamLimits {
  /** Above this much unsent output the peer is cut off. */
  readonly hardOutputBytes: number;
  /** How long a peer may take to read the rest and close its side, once this side is closed. */
  readonly closeTimeoutMs: number;
}

/** Who reads the messages. */
export interface ConnectionEvents {
  /** One message, in order. With a result that is still pending, the next is given out when that is settled. */
  message(message: unknown): PendingResult | undefined;
  /** Something that is no message; the connection goes on. */
  malformed(error: RequestError): void;
  /** Something that ends all understanding; the connection closes once what is sent here has gone out. */
  broken(error: ProtocolError): void;
  /** The peer closed its side and everything it sent was given out. What is sent from here on still goes out until `end`. */
  finished(): void;
  /** What all connections share of each turn for many messages that came together. Without it they are given out at once. */
  readonly share?: TurnShare;
  /** What they share of each turn for peers that ended together. An end never waits behind messages of others. */
  readonly endShare?: TurnShare;
  /** No more messages come or go. Called once, last. */
  closed(error: Error | undefined): void;
}

/**
 * `open`: both ways. `finishing`: the peer has closed its side and is still answered. `ending`: this side is closed,
 * what comes is dropped. `closed`: gone.
 */
type State = 'open' | 'finishing' | 'ending' | 'closed';

/** Decodes what comes, and joins what goes out in one turn into one write. */
export class MessageStream implements ByteSink, Flushable {
  protected readonly stream: ByteStream;
  readonly #limits: StreamLimits;
  protected readonly events: ConnectionEvents;
  /** Undefined while that is not known; what is sent until then goes nowhere. */
  protected codec: Codec | undefined;
  #state: State = 'open';
  /** `working` while messages are given out, `held` while they have to wait, which is nothing for a client's. */
  protected reading: 'idle' | 'working' | 'held' = 'idle';
  /** What the stream had not sent when last looked at: after each write, when reading goes on, and first in each turn. */
  #unsentBefore = 0;
  #awaitsFlush = false;
  /** At least as many as `unsentBytes`: what that was after the last message sent. It is asked for each message. */
  protected lastUnsentBytes = 0;
  #closeAtMs = Number.POSITIVE_INFINITY;
  #stopCloseTimeout: (() => void) | undefined;

  constructor(stream: ByteStream, codec: Codec | undefined, limits: StreamLimits, events: ConnectionEvents) {
    this.stream = stream;
    this.codec = codec;
    this.#limits = limits;
    this.events = events;
  }

  /** Begins to read; called once. */
  start(): void {
    this.stream.start(this);
  }

  /** Whether each message is a frame of its own. */
  get isFramed(): boolean {
    return this.stream.isFramed;
  }

  get isClosed(): boolean {
    return this.#state === 'ending' || this.#state === 'closed';
  }

  /** Bytes on their way out that the system has not taken yet; text counts a character as one. */
  get unsentBytes(): number {
    return (this.codec?.output.length ?? 0) + this.#unsentBefore;
  }

  /**
   * Sends a message, or what is one as it stands, with everything else of this turn. On a connection that is closed it
   * goes nowhere.
   */
  send(message: object | string, completeness?: Completeness): void {
    if (this.isClosed || this.codec === undefined) return;
    this.codec.encode(message);
    if (this.stream.isFramed) {
      const text = this.codec.output.take();
      this.#write(this.codec.endsFrames ? text : withoutLineEnd(text), completeness);
    } else if (!this.#awaitsFlush) {
      this.#awaitsFlush = true;
      this.#unsentBefore = this.stream.unsentBytes;
      flushAtEndOfTurn(this);
    }
    this.lastUnsentBytes = this.unsentBytes;
    if (this.lastUnsentBytes > this.#limits.hardOutputBytes) {
      this.destroy(new Error(`more than ${this.#limits.hardOutputBytes} bytes of unsent output`));
    }
  }

  /** Gives what was sent so far to the stream; by itself that happens at the end of the turn. */
  flush(): void {
    this.#awaitsFlush = false;
    const text = this.codec?.output.take();
    if (text && !this.isClosed) this.#write(text);
  }

  /** What a codec wrote. */
  #write(text: string, completeness?: Completeness): void {
    this.stream.write(text, (this.codec as Codec).encoding, completeness);
    this.#unsentBefore = this.stream.unsentBytes;
  }

  /** Whether the connection keeps the process alive, where there is such a thing. */
  setReferenced(isReferenced: boolean): void {
    this.stream.setReferenced?.(isReferenced);
  }

  /** Sends the rest, then closes this side; a peer that does not follow in time is cut off. */
  end(closeTimeoutMs: number = this.#limits.closeTimeoutMs): void {
    if (this.#state === 'closed') return;
    if (this.#state !== 'ending') {
      this.flush();
      this.#state = 'ending';
      this.stream.resume();
      this.stream.end();
    }
    // Asked for again, by a server that stops, the shorter time counts.
    const atMs = performance.now() + closeTimeoutMs;
    if (atMs >= this.#closeAtMs) return;
    this.#closeAtMs = atMs;
    this.#stopCloseTimeout?.();
    this.#stopCloseTimeout = startTimeout(closeTimeoutMs, () => this.stream.destroy());
  }

  /** Closes at once. */
  destroy(error?: Error): void {
    this.stream.destroy();
    this.closed(error);
  }

  data(bytes: Uint8Array, end: number = bytes.length): void {
    if (this.isClosed) return;
    this.codec?.push(bytes, end);
    this.received(end);
    this.codec?.keep();
  }

  ended(): void {
    if (this.#state !== 'open') return;
    this.#state = 'finishing';
    this.codec?.end();
    takeTurn(this.giveOut);
  }

  closed(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stopCloseTimeout?.();
    this.events.closed(error);
  }

  /** So many bytes have come. */
  protected received(_byteCount: number): void {
    takeTurn(this.giveOut);
  }

  /** Gives out messages until more bytes are needed or it has to wait. */
  protected readonly giveOut = (): void => {
    if (this.reading !== 'idle') return;
    this.reading = 'working';
    this.#unsentBefore = this.stream.unsentBytes;
    this.lastUnsentBytes = this.unsentBytes;
    for (let count = 1; !this.isClosed; count += 1) {
      if (this.mustDrain()) return;
      const message = this.codec?.next();
      if (message === undefined) break;
      if (this.mustWait(this.#giveOutOne(message), count)) return;
    }
    this.reading = 'idle';
    if (this.#state === 'finishing') this.events.finished();
  };

  /** Whether the messages behind this one have to wait; then they are held. */
  protected mustWait(_pending: PendingResult | undefined, _count: number): boolean {
    return false;
  }

  #giveOutOne(message: unknown): PendingResult | undefined {
    if (!(message instanceof Error)) return this.events.message(message);
    if (message instanceof RequestError) {
      this.events.malformed(message);
    } else {
      this.events.broken(message as ProtocolError);
      this.end();
    }
    return undefined;
  }

  /** Whether the peer has to read first what was sent to it; then all messages are held. */
  protected mustDrain(): boolean {
    return false;
  }
}

function withoutLineEnd(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}
