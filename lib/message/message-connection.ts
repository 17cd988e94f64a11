/** Turns one byte stream into messages with a codec, and limits unsent output. Knows nothing of commands. */

import type { Codec } from '../wire/codec.ts';
import { type ProtocolError, RequestError } from '../wire/errors.ts';
import type { ByteSink, ByteStream, Completeness } from './byte-stream.ts';
import { UnreadOutputError } from './message-error.ts';
import type { PartialMessages, Receiver } from './partial-messages.ts';
import type { PendingResult } from './pending-result.ts';
import { type Flushable, flushAfterInput, handleInput, inputTimeMs } from './scheduler.ts';
import { startTimeout } from './timeout.ts';

/** What a connection may use at most, in bytes (text counts a character as one) and milliseconds. */
export interface ConnectionLimits {
  /** Above this much unsent output the peer is cut off. */
  readonly hardOutputBytes: number;
  /** How long a peer may take to read the rest and close its side, once this side is closed. */
  readonly closeTimeoutMs: number;
}

/** Receives the messages of a connection. */
export interface ConnectionEvents {
  /** One message, in order. The result, if it is pending, is for the reading policy. */
  message(message: unknown): PendingResult | undefined;
  /** The peer sent something that is no message; the connection goes on. */
  malformed(error: RequestError): void;
  /** The peer broke the protocol; the connection closes once the answer was sent. */
  broken(error: ProtocolError): void;
  /** The peer closed its side and all its messages were handled. Messages can still be sent until `end`. */
  finished(): void;
  /** No more messages come or go. `hasPeerEnded`: the peer had closed its side before. Called once, last. */
  closed(error: Error | undefined, hasPeerEnded: boolean): void;
}

/** Finds the protocol of a connection. */
export interface CodecFinder {
  /** How many bytes it keeps, since they did not show the protocol. */
  readonly partialBytes: number;
  /** Takes the next bytes until they show the protocol. Then returns its codec, which has received them all. */
  find(bytes: Uint8Array): Codec | undefined;
}

/** Calls back when a wait is over. */
export type Wait = (goOn: () => void) => void;

/** Decides when a connection stops giving out messages for a while, or for good. Without one it never stops. */
export interface ReadingPolicy {
  /** Bounds the time that a message may take. */
  readonly partialMessages: PartialMessages;
  /**
   * The wait before the next message, if there is one: `count` messages of an input of `byteCount` bytes were given out,
   * the last with the result `pending`.
   */
  beforeMessage(
    connection: MessageConnection,
    byteCount: number,
    count: number,
    pending: PendingResult | undefined,
  ): Wait | undefined;
  /** The wait before the end of a peer that is not waited for otherwise. */
  beforeEnd(): Wait | undefined;
  /** The unread output of the connection changed by `bytes`, which may be negative. */
  unreadChanged(bytes: number): void;
  /** Whether to cut off a connection that had `unreadBytes` unread and now has more. */
  isTooMuch(unreadBytes: number): boolean;
}

/**
 * `idle`: waits for input. `working`: gives out messages. `held`: the messages wait. `workingLast`, `heldLast`: the same when
 * the peer has closed its side. `finished`: all its messages were given out, and it is still answered. `ending`: this side
 * is closed, input is dropped. `closed`: gone.
 */
type State = 'idle' | 'working' | 'held' | 'workingLast' | 'heldLast' | 'finished' | 'ending' | 'closed';

/** What can happen to a connection. `done`: all messages that came were given out. */
type Step = 'input' | 'hold' | 'goOn' | 'done' | 'peerEnded' | 'end' | 'close';

/** The next state for each step. A step without an entry is impossible in that state. */
const NEXT: Readonly<Record<State, Readonly<Partial<Record<Step, State>>>>> = {
  idle: { input: 'working', peerEnded: 'heldLast', end: 'ending', close: 'closed' },
  working: { hold: 'held', done: 'idle', peerEnded: 'workingLast', end: 'ending', close: 'closed' },
  held: { goOn: 'working', peerEnded: 'heldLast', end: 'ending', close: 'closed' },
  workingLast: { hold: 'heldLast', done: 'finished', end: 'ending', close: 'closed' },
  heldLast: { goOn: 'workingLast', end: 'ending', close: 'closed' },
  finished: { end: 'ending', close: 'closed' },
  ending: { close: 'closed' },
  closed: {},
};

const HAS_PEER_ENDED: ReadonlySet<State> = new Set(['workingLast', 'heldLast', 'finished']);

/** Less unsent output than this is on its way as usual, or costs as little as the connection itself. */
const MAX_UNCOUNTED_BYTES = 4_096;

/** Decodes input, and joins the output that one input causes into one write. */
export class MessageConnection implements ByteSink, Flushable, Receiver {
  readonly #stream: ByteStream;
  readonly #limits: ConnectionLimits;
  readonly #events: ConnectionEvents;
  readonly #policy: ReadingPolicy | undefined;
  readonly #finder: CodecFinder | undefined;
  /** Undefined until the protocol is known; nothing can be sent before. */
  #codec: Codec | undefined;
  #state: State = 'idle';
  /** The unsent bytes of the stream at the last look: at the start of an input, after each write, and when all was sent. */
  #unsentBefore = 0;
  /** How many of them were told to the policy. */
  #unreadBytes = 0;
  #awaitsDrain = false;
  #awaitsFlush = false;
  /** Whether the stream is stopped: more came while messages waited. */
  #isPaused = false;
  /** Whether the policy knows that a message has begun. */
  #isPartial = false;
  #closeAtMs = Number.POSITIVE_INFINITY;
  /** When the peer last sent something, or began; by the clock of `inputTimeMs`. */
  #heardMs: number = inputTimeMs();
  #stopCloseTimeout: (() => void) | undefined;

  constructor(
    stream: ByteStream,
    codec: Codec | CodecFinder,
    limits: ConnectionLimits,
    events: ConnectionEvents,
    policy?: ReadingPolicy,
  ) {
    this.#stream = stream;
    if ('find' in codec) this.#finder = codec;
    else this.#codec = codec;
    this.#limits = limits;
    this.#events = events;
    this.#policy = policy;
  }

  /** Begins to read; called once. */
  start(): void {
    this.#stream.start(this);
  }

  /** Where the peer is, for people. */
  get peer(): string {
    return this.#stream.peer;
  }

  /** Whether each message is a frame of its own. */
  get isFramed(): boolean {
    return this.#stream.isFramed;
  }

  /** When the peer was last heard of, in milliseconds as `performance.now` tells them. */
  get heardMs(): number {
    return this.#heardMs;
  }

  get isClosed(): boolean {
    return this.#state === 'ending' || this.#state === 'closed';
  }

  /** Whether everything that came was given out, and more may come. */
  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  /** The peer closed its side, everything it sent was given out, and this side is still open. */
  get isFinished(): boolean {
    return this.#state === 'finished';
  }

  /** Bytes on their way out that the system has not taken yet; text counts a character as one. */
  get unsentBytes(): number {
    return (this.#codec?.output.length ?? 0) + this.#unsentBefore;
  }

  /** Sends a message, its text or a piece of it, with the other output of this input; nothing on a closed connection. */
  send(message: object, completeness?: Completeness): void {
    const codec = this.#codec;
    if (codec === undefined || this.isClosed) return;
    codec.encode(message);
    if (this.#stream.isFramed) {
      const text = codec.output.take();
      this.#stream.write(codec.endsFrames ? text : withoutLineEnd(text), codec.encoding, completeness);
      this.#lookAtUnsent();
    } else if (!this.#awaitsFlush) {
      this.#awaitsFlush = true;
      this.#unsentBefore = this.#stream.unsentBytes;
      flushAfterInput(this);
    }
    const { hardOutputBytes } = this.#limits;
    if (this.unsentBytes > hardOutputBytes) {
      this.destroy(new UnreadOutputError('hardOutputBytes', `more than ${hardOutputBytes} bytes of unsent output`));
    }
  }

  #lookAtUnsent(): void {
    this.#unsentBefore = this.#stream.unsentBytes;
    this.#countUnread();
  }

  /** More than a little unsent output counts as unread, until the stream says that all is sent. */
  #countUnread(): void {
    const before = this.#unreadBytes;
    const unread = this.#unsentBefore > MAX_UNCOUNTED_BYTES ? this.#unsentBefore : 0;
    if (unread === before || this.#policy === undefined) return;
    const isTooMuch = unread > before && this.#policy.isTooMuch(before);
    this.#policy.unreadChanged(unread - before);
    this.#unreadBytes = unread;
    if (isTooMuch) this.destroy(new UnreadOutputError('totalOutputBytes', 'too much unsent output of all connections'));
    else if (unread > 0 && !this.#awaitsDrain) this.#lookAgainWhenDrained();
  }

  #lookAgainWhenDrained(): void {
    this.#awaitsDrain = true;
    this.#stream.whenDrained(() => {
      this.#awaitsDrain = false;
      this.#lookAtUnsent();
    });
  }

  /** Writes the output so far to the stream. This happens by itself at the end of the input. */
  flush(): void {
    this.#awaitsFlush = false;
    const codec = this.#codec;
    const text = codec?.output.take();
    if (codec === undefined || !text || this.isClosed) return;
    this.#stream.write(text, codec.encoding);
    this.#unsentBefore = this.#stream.unsentBytes;
    if (this.#unsentBefore > MAX_UNCOUNTED_BYTES || this.#unreadBytes > 0) this.#countUnread();
  }

  /** Calls back once everything sent so far is with the system; never if the connection closes before. */
  whenDrained(callback: () => void): void {
    if (this.isClosed) return;
    this.flush();
    this.#stream.whenDrained(() => {
      this.#lookAtUnsent();
      if (!this.isClosed) callback();
    });
  }

  /** Whether the connection keeps the process alive, where there is such a thing. */
  setReferenced(isReferenced: boolean): void {
    this.#stream.setReferenced?.(isReferenced);
  }

  /** Sends the rest, then closes this side; a peer that does not follow in time is cut off. */
  end(closeTimeoutMs: number = this.#limits.closeTimeoutMs): void {
    if (this.#state === 'closed') return;
    if (!this.isClosed) {
      this.flush();
      this.#step('end');
      // Gives up what has come of a message that is not whole.
      if (this.#isPartial) this.#noteEnd();
      this.#codec = undefined;
      this.#setPaused(false);
      this.#stream.end();
    }
    // A server that stops may call this again; the earlier time limit counts.
    const atMs = performance.now() + closeTimeoutMs;
    if (atMs >= this.#closeAtMs) return;
    this.#closeAtMs = atMs;
    this.#stopCloseTimeout?.();
    this.#stopCloseTimeout = startTimeout(closeTimeoutMs, () => this.#stream.destroy());
  }

  /** Takes no further input, sends nothing, and leaves the stream open. */
  abandon(): void {
    if (this.isClosed) return;
    this.#step('end');
    this.#codec = undefined;
  }

  /** Closes at once. */
  destroy(error?: Error): void {
    this.#stream.destroy();
    this.closed(error);
  }

  /** Closes the connection for this error, as for one that the codec finds: the peer is told first. */
  breakOff(error: ProtocolError): void {
    if (this.isClosed) return;
    this.#events.broken(error);
    if (!this.isClosed) this.end();
  }

  data(bytes: Uint8Array, end: number = bytes.length): void {
    if (this.isClosed) return;
    if (this.#codec === undefined) this.#codec = this.#finder?.find(bytes.subarray(0, end));
    else this.#codec.push(bytes, end);
    if (this.#step('input')) handleInput(this.#giveOut, end);
    else {
      this.#heardMs = inputTimeMs();
      if (this.#state === 'held') this.#setPaused(true);
    }
    this.#codec?.keep?.();
  }

  partialBytesChanged(): void {
    if (this.isIdle) this.#notePartial();
  }

  ended(): void {
    const wasIdle = this.#state === 'idle';
    const wait = wasIdle ? this.#policy?.beforeEnd() : undefined;
    if (!this.#step('peerEnded')) return;
    this.#codec?.end();
    if (wait !== undefined) wait(this.#goOn);
    else if (wasIdle) this.#goOn();
  }

  closed(error: Error | undefined): void {
    const hasPeerEnded = HAS_PEER_ENDED.has(this.#state);
    if (!this.#step('close')) return;
    this.#codec = undefined;
    this.#stopCloseTimeout?.();
    this.#policy?.unreadChanged(-this.#unreadBytes);
    this.#unreadBytes = 0;
    if (this.#isPartial) this.#noteEnd();
    this.#events.closed(error, hasPeerEnded);
  }

  /** Takes the step if it is possible; returns whether it was. */
  #step(step: Step): boolean {
    const next = NEXT[this.#state][step];
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }

  /** Gives out messages until more bytes are needed or they have to wait. */
  readonly #giveOut = (byteCount: number): void => {
    if (byteCount > 0) this.#heardMs = inputTimeMs();
    this.#unsentBefore = this.#stream.unsentBytes;
    let pending: PendingResult | undefined;
    for (let count = 0; !this.isClosed; count += 1) {
      const wait = this.#policy?.beforeMessage(this, byteCount, count, pending);
      if (wait !== undefined) {
        this.#hold(wait);
        return;
      }
      const message = this.#codec?.next();
      if (message === undefined) break;
      if (this.#isPartial) this.#noteEnd();
      pending = message instanceof Error ? this.#tellFault(message) : this.#events.message(message);
    }
    if (!this.#step('done')) return;
    if (this.#state === 'finished') this.#finish();
    else this.#notePartial();
  };

  #finish(): void {
    if (this.#isPartial) this.#noteEnd();
    this.#events.finished();
  }

  /** Bytes behind the last whole message begin the next one. */
  #notePartial(): void {
    const bytes = ((this.#codec ?? this.#finder)?.partialBytes ?? 0) + (this.#stream.partialBytes ?? 0);
    if (bytes > 0) {
      this.#isPartial = true;
      this.#policy?.partialMessages.set(this, bytes);
    } else if (this.#isPartial) {
      this.#noteEnd();
    }
  }

  /** The message that had begun is whole, or will never be. */
  #noteEnd(): void {
    this.#isPartial = false;
    this.#policy?.partialMessages.delete(this);
  }

  #tellFault(error: Error): undefined {
    if (error instanceof RequestError) this.#events.malformed(error);
    else this.breakOff(error as ProtocolError);
  }

  #hold(wait: Wait): void {
    this.#step('hold');
    wait(this.#goOn);
  }

  /** Each change costs two calls of the system, so a short wait during which nothing comes does without. */
  #setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#stream.pause();
    else this.#stream.resume();
  }

  readonly #goOn = (): void => {
    if (!this.#step('goOn')) return;
    handleInput(this.#giveOut, 0);
    // While messages still wait, more input would pile up behind them.
    if (this.#state !== 'held' && this.#state !== 'closed') this.#setPaused(false);
  };
}

function withoutLineEnd(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}
