/**
 * One connection as messages: a byte stream, the codec that its first byte asks for, and backpressure. Serves both
 * ends; knows nothing of commands.
 */

import type { Codec } from '../wire/codec.ts';
import { ProtocolError, RequestError } from '../wire/errors.ts';
import type { ByteSink, ByteStream } from './byte-stream.ts';
import { startTimeout } from './timeout.ts';

/** What a connection may use at most, in bytes (text counts a character as one) and milliseconds. */
export interface ConnectionLimits {
  /** Above this much unsent output no more messages of the peer are decoded. */
  readonly softOutputBytes: number;
  /** Above this much unsent output the peer is cut off. */
  readonly hardOutputBytes: number;
  /** How long a peer may take to read the rest and close its side, once this side is closed. */
  readonly closeTimeoutMs: number;
}

/** Who reads the messages. */
export interface ConnectionEvents {
  /** One message, in order. */
  message(message: unknown): void;
  /** Something that is no message; the connection goes on. */
  malformed(error: RequestError): void;
  /** Something that ends all understanding; the connection closes once what is sent here has gone out. */
  broken(error: ProtocolError): void;
  /** The peer closed its side and everything it sent was given out. What is sent from here on still goes out until `end`. */
  finished(): void;
  /** No more messages come or go. Called once, last. */
  closed(error: Error | undefined): void;
}

/** Chooses the codec by the first bytes: undefined while they do not tell, `unknown` closes the connection. */
export type CodecChoice = (firstBytes: Uint8Array) => Codec | 'unknown' | undefined;

/**
 * `open`: both ways. `finishing`: the peer has closed its side and is still answered. `ending`: this side is closed,
 * what comes is dropped. `closed`: gone.
 */
type State = 'open' | 'finishing' | 'ending' | 'closed';

/** Decodes what comes, joins what goes out in one turn into one write, and stops reading from a peer that does not read. */
export class MessageConnection implements ByteSink {
  readonly #stream: ByteStream;
  readonly #limits: ConnectionLimits;
  readonly #events: ConnectionEvents;
  /** Until the first byte has told which one it is, the choice. */
  #codec: Codec | CodecChoice;
  #state: State = 'open';
  /** `working` while messages are given out, `held` while the output has to drain first. */
  #reading: 'idle' | 'working' | 'held' = 'idle';
  #output = '';
  #stopCloseTimeout: (() => void) | undefined;

  constructor(stream: ByteStream, codec: Codec | CodecChoice, limits: ConnectionLimits, events: ConnectionEvents) {
    this.#stream = stream;
    this.#codec = codec;
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
    return this.#output.length + this.#stream.unsentBytes;
  }

  /** Sends a message with everything else of this turn. On a connection that is closed it goes nowhere. */
  send(message: object): void {
    if (this.isClosed || typeof this.#codec === 'function') return;
    if (this.#output === '') queueMicrotask(this.#flush);
    this.#output += this.#codec.encode(message);
    if (this.unsentBytes > this.#limits.hardOutputBytes) {
      this.destroy(new Error(`more than ${this.#limits.hardOutputBytes} bytes of unsent output`));
    }
  }

  /** Sends the rest, then closes this side; a peer that does not follow in time is cut off. */
  end(closeTimeoutMs: number = this.#limits.closeTimeoutMs): void {
    if (this.isClosed) return;
    this.#flush();
    this.#state = 'ending';
    this.#stream.resume();
    this.#stream.end();
    this.#stopCloseTimeout = startTimeout(closeTimeoutMs, () => this.#stream.destroy());
  }

  /** Closes at once. */
  destroy(error?: Error): void {
    this.#stream.destroy();
    this.closed(error);
  }

  data(bytes: Uint8Array): void {
    if (this.isClosed) return;
    if (typeof this.#codec === 'function') {
      const choice = this.#codec(bytes);
      if (choice === undefined) return;
      if (choice === 'unknown') {
        this.destroy();
        return;
      }
      this.#codec = choice;
    }
    this.#codec.push(bytes);
    this.#giveOut();
  }

  ended(): void {
    if (this.#state !== 'open') return;
    this.#state = 'finishing';
    if (typeof this.#codec !== 'function') this.#codec.end();
    this.#giveOut();
  }

  closed(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#output = '';
    this.#stopCloseTimeout?.();
    this.#events.closed(error);
  }

  /** Gives out messages until more bytes are needed or the output has to drain. */
  #giveOut(): void {
    if (this.#reading !== 'idle') return;
    this.#reading = 'working';
    while (!this.isClosed) {
      if (this.unsentBytes >= this.#limits.softOutputBytes && this.#mustHold()) return;
      const message = typeof this.#codec === 'function' ? undefined : this.#codec.next();
      if (message === undefined) break;
      if (message instanceof RequestError) {
        this.#events.malformed(message);
      } else if (message instanceof ProtocolError) {
        this.#events.broken(message);
        this.end();
      } else {
        this.#events.message(message);
      }
    }
    this.#reading = 'idle';
    if (this.#state === 'finishing') this.#events.finished();
  }

  /** Whether the output is still too long once it was offered to the system: then reading waits until it has drained. */
  #mustHold(): boolean {
    this.#flush();
    if (this.unsentBytes < this.#limits.softOutputBytes) return false;
    this.#reading = 'held';
    this.#stream.pause();
    this.#stream.whenDrained(() => {
      if (this.isClosed) return;
      this.#reading = 'idle';
      this.#stream.resume();
      this.#giveOut();
    });
    return true;
  }

  readonly #flush = (): void => {
    if (this.#output === '' || this.isClosed) return;
    const output = this.#output;
    this.#output = '';
    this.#stream.write(output);
  };
}
