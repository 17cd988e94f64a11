/**
 * One connection as messages: a byte stream, a codec, and backpressure. Serves both
 * ends; knows nothing of commands.
 */

import type { Codec } from '../wire/codec.ts';
import { type ProtocolError, RequestError } from '../wire/errors.ts';
import type { ByteSink, ByteStream, Completeness } from './byte-stream.ts';
import type { PendingResult } from './pending-result.ts';
import { startTimeout } from './timeout.ts';
import { type Flushable, flushAtEndOfTurn, takeTurn } from './turn.ts';
import type { TurnShare } from './turn-share.ts';

/** What a connection may use at most, in bytes (text counts a character as one) and milliseconds. */
export interface ConnectionLimits {
  /** Above this much unsent output no more messages of the peer are decoded. */
  readonly softOutputBytes: number;
  /** Above this much unsent output the peer is cut off. */
  readonly hardOutputBytes: number;
  /** How long a peer may take to read the rest and close its side, once this side is closed. */
  readonly closeTimeoutMs: number;
}

/** How many messages are given out between two looks whether others should have their turn. */
const MESSAGES_A_LOOK = 32;

/** Of more bytes than that, which may be very many messages, none is given out once the turn is over. */
const MAX_SMALL_BYTES = 512;

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
  /** No more messages come or go. Called once, last. */
  closed(error: Error | undefined): void;
}

/**
 * `open`: both ways. `finishing`: the peer has closed its side and is still answered. `ending`: this side is closed,
 * what comes is dropped. `closed`: gone.
 */
type State = 'open' | 'finishing' | 'ending' | 'closed';

/** Decodes what comes, joins what goes out in one turn into one write, and stops reading from a peer that does not read. */
export class MessageConnection implements ByteSink, Flushable {
  readonly #stream: ByteStream;
  readonly #limits: ConnectionLimits;
  readonly #events: ConnectionEvents;
  /** Undefined while that is not known; what is sent until then goes nowhere. */
  protected codec: Codec | undefined;
  #state: State = 'open';
  /** `working` while messages are given out, `held` while output has to drain or a result to be settled first. */
  #reading: 'idle' | 'working' | 'held' = 'idle';
  /** What the stream had not sent when it was last looked at: after each write, and when reading goes on. */
  #unsentBefore = 0;
  /** Whether the soft limit may be reached: asked for each message, hence told by what makes it so. */
  #mayBeFull = false;
  #awaitsFlush = false;
  #closeAtMs = Number.POSITIVE_INFINITY;
  #stopCloseTimeout: (() => void) | undefined;

  constructor(stream: ByteStream, codec: Codec | undefined, limits: ConnectionLimits, events: ConnectionEvents) {
    this.#stream = stream;
    this.codec = codec;
    this.#limits = limits;
    this.#events = events;
  }

  /** Begins to read; called once. */
  start(): void {
    this.#stream.start(this);
  }

  /** Where the peer is, for people. */
  get peer(): string {
    return this.#stream.peer;
  }

  get isClosed(): boolean {
    return this.#state === 'ending' || this.#state === 'closed';
  }

  /** The peer closed its side, everything it sent was given out, and this side is still open. */
  get isFinished(): boolean {
    return this.#state === 'finishing' && this.#reading === 'idle';
  }

  /** Bytes on their way out that the system has not taken yet; text counts a character as one. */
  get unsentBytes(): number {
    return (this.codec?.output.length ?? 0) + this.#unsentBefore;
  }

  /** Sends a message with everything else of this turn. On a connection that is closed it goes nowhere. */
  send(message: object): void {
    this.#send(message, 'complete');
  }

  /** Sends the beginning of a message, or a further piece; `send` ends it. */
  sendPiece(message: object): void {
    this.#send(message, 'continued');
  }

  #send(message: object, completeness: Completeness): void {
    if (this.isClosed || this.codec === undefined) return;
    this.codec.encode(message);
    if (this.#stream.isFramed) {
      this.#write(this.codec.output.take(), completeness);
    } else if (!this.#awaitsFlush) {
      this.#awaitsFlush = true;
      flushAtEndOfTurn(this);
    }
    const { unsentBytes } = this;
    if (unsentBytes >= this.#limits.softOutputBytes) this.#mayBeFull = true;
    if (unsentBytes > this.#limits.hardOutputBytes) {
      this.destroy(new Error(`more than ${this.#limits.hardOutputBytes} bytes of unsent output`));
    }
  }

  /** Gives what was sent so far to the stream; by itself that happens at the end of the turn. */
  flush(): void {
    this.#awaitsFlush = false;
    if (this.isClosed || !this.codec?.output.length) return;
    this.#write(this.codec.output.take());
  }

  #write(text: string, completeness?: Completeness): void {
    this.#stream.write(text, this.codec?.encoding ?? 'utf8', completeness);
    this.#unsentBefore = this.#stream.unsentBytes;
  }

  /** Whether the connection keeps the process alive, where there is such a thing. */
  setReferenced(isReferenced: boolean): void {
    this.#stream.setReferenced?.(isReferenced);
  }

  /** Calls back once everything sent so far is with the system; never if the connection closes before. */
  whenDrained(callback: () => void): void {
    this.flush();
    this.#stream.whenDrained(() => {
      if (!this.isClosed) callback();
    });
  }

  /** Sends the rest, then closes this side; a peer that does not follow in time is cut off. */
  end(closeTimeoutMs: number = this.#limits.closeTimeoutMs): void {
    if (this.#state === 'closed') return;
    if (this.#state !== 'ending') {
      this.flush();
      this.#state = 'ending';
      this.#stream.resume();
      this.#stream.end();
    }
    // Asked for again, by a server that stops, the shorter time counts.
    const atMs = performance.now() + closeTimeoutMs;
    if (atMs >= this.#closeAtMs) return;
    this.#closeAtMs = atMs;
    this.#stopCloseTimeout?.();
    this.#stopCloseTimeout = startTimeout(closeTimeoutMs, () => this.#stream.destroy());
  }

  /** Closes at once. */
  destroy(error?: Error): void {
    this.#stream.destroy();
    this.closed(error);
  }

  data(bytes: Uint8Array, end: number = bytes.length): void {
    if (this.isClosed) return;
    this.codec?.push(bytes, end);
    if (end > MAX_SMALL_BYTES && this.#reading === 'idle' && this.#events.share?.isUsedUp) this.#letOthers();
    else takeTurn(this.#giveOut);
    this.codec?.keep();
  }

  ended(): void {
    if (this.#state !== 'open') return;
    this.#state = 'finishing';
    this.codec?.end();
    takeTurn(this.#giveOut);
  }

  closed(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stopCloseTimeout?.();
    this.#events.closed(error);
  }

  /** Gives out messages until more bytes are needed or it has to wait. */
  readonly #giveOut = (): void => {
    if (this.#reading !== 'idle') return;
    this.#reading = 'working';
    this.#unsentBefore = this.#stream.unsentBytes;
    this.#mayBeFull = true;
    let count = 0;
    while (!this.isClosed) {
      if (this.#mayBeFull && this.#mustDrain()) return;
      const message = this.codec?.next();
      if (message === undefined) break;
      const pending = this.#giveOutOne(message);
      count += 1;
      if (this.#mustWait(pending, count)) return;
    }
    this.#reading = 'idle';
    if (this.#state === 'finishing') this.#events.finished();
  };

  /** Whether the next message has to wait for the result of this one, or for the others' turn. */
  #mustWait(pending: PendingResult | undefined, count: number): boolean {
    if (pending !== undefined && !pending.isSettled) {
      this.#hold();
      pending.whenSettled(this.#goOn);
      return true;
    }
    if (count % MESSAGES_A_LOOK !== 0 || !this.#events.share?.isUsedUp) return false;
    this.#letOthers();
    return true;
  }

  #letOthers(): void {
    this.#hold();
    this.#events.share?.add(this.#goOn);
  }

  #giveOutOne(message: unknown): PendingResult | undefined {
    if (!(message instanceof Error)) return this.#events.message(message);
    if (message instanceof RequestError) {
      this.#events.malformed(message);
    } else {
      this.#events.broken(message as ProtocolError);
      this.end();
    }
    return undefined;
  }

  /** Whether the output is still too long once it was offered to the system: then reading waits until it has drained. */
  #mustDrain(): boolean {
    if (this.unsentBytes >= this.#limits.softOutputBytes) this.flush();
    this.#mayBeFull = this.unsentBytes >= this.#limits.softOutputBytes;
    if (!this.#mayBeFull) return false;
    this.#hold();
    this.#stream.whenDrained(this.#goOn);
    return true;
  }

  #hold(): void {
    this.#reading = 'held';
    this.#stream.pause();
  }

  readonly #goOn = (): void => {
    if (this.isClosed) return;
    this.#reading = 'idle';
    this.#stream.resume();
    takeTurn(this.#giveOut);
  };
}
