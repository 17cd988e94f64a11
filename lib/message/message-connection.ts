/** One connection as messages, as a server needs it: results that are pending, turns of the others, and long answers. */

import type { Codec } from '../wire/codec.ts';
import type { ByteStream } from './byte-stream.ts';
import { type ConnectionEvents, MessageStream, type StreamLimits } from './message-stream.ts';
import type { PendingResult } from './pending-result.ts';
import { takeTurn } from './turn.ts';

export type { ConnectionEvents };

/** What a connection may use at most, in bytes (text counts a character as one) and milliseconds. */
export interface ConnectionLimits extends StreamLimits {
  /** Above this much unsent output no more messages of the peer are decoded. */
  readonly softOutputBytes: number;
}

/** How many messages are given out between two looks whether others should have their turn. */
const MESSAGES_A_LOOK = 32;

/** Of more bytes than that, which may be very many messages, none is given out once the turn is over. */
const MAX_SMALL_BYTES = 512;

/**
 * Stops reading from a peer that does not read, gives out the next message only when the result of the one before is
 * there, and lets others have their turn.
 */
export class MessageConnection extends MessageStream {
  readonly #softOutputBytes: number;
  #hasPeerEnded = false;

  constructor(stream: ByteStream, codec: Codec | undefined, limits: ConnectionLimits, events: ConnectionEvents) {
    super(stream, codec, limits, events);
    this.#softOutputBytes = limits.softOutputBytes;
  }

  /** Where the peer is, for people. */
  get peer(): string {
    return this.stream.peer;
  }

  /** Bytes that were unsent when that was last looked at, also once the connection is closed. */
  get unsentAtLastLook(): number {
    return this.lastUnsentBytes;
  }

  /** The peer closed its side, everything it sent was given out, and this side is still open. */
  get isFinished(): boolean {
    return this.#hasPeerEnded && this.reading === 'idle' && !this.isClosed;
  }

  /** Sends the beginning of a message, or a further piece; `send` ends it. */
  sendPiece(message: object): void {
    this.send(message, 'continued');
  }

  /** Calls back once everything sent so far is with the system; never if the connection closes before. */
  whenDrained(callback: () => void): void {
    if (this.isClosed) return;
    this.flush();
    this.stream.whenDrained(() => {
      if (!this.isClosed) callback();
    });
  }

  override closed(error: Error | undefined): void {
    // Nothing is sent any more, and what all connections write into may know this output until another one writes.
    this.codec?.output.take();
    super.closed(error);
  }

  /** Thousands of peers may end in one turn, while others are waiting. */
  override ended(): void {
    const { endShare } = this.events;
    if (this.reading === 'idle' && endShare?.isUsedUp) {
      // There is nothing to pause any more.
      this.reading = 'held';
      endShare.add(() => {
        this.reading = 'idle';
        this.#end();
      });
    } else {
      this.#end();
    }
  }

  protected override received(byteCount: number): void {
    if (byteCount > MAX_SMALL_BYTES && this.reading === 'idle' && this.events.share?.isUsedUp) this.#letOthers();
    else super.received(byteCount);
  }

  /** Whether the output is still too long once it was offered to the system: then reading waits until it has drained. */
  protected override mustDrain(): boolean {
    if (this.lastUnsentBytes < this.#softOutputBytes) return false;
    if (this.unsentBytes >= this.#softOutputBytes) this.flush();
    this.lastUnsentBytes = this.unsentBytes;
    if (this.lastUnsentBytes < this.#softOutputBytes) return false;
    this.#hold();
    this.stream.whenDrained(this.#goOn);
    return true;
  }

  protected override mustWait(pending: PendingResult | undefined, count: number): boolean {
    if (pending !== undefined && !pending.isSettled) {
      this.#hold();
      pending.whenSettled(this.#goOn);
      return true;
    }
    if (count % MESSAGES_A_LOOK !== 0 || !this.events.share?.isUsedUp) return false;
    this.#letOthers();
    return true;
  }

  #end(): void {
    this.#hasPeerEnded = true;
    super.ended();
  }

  #letOthers(): void {
    this.#hold();
    this.events.share?.add(this.#goOn);
  }

  #hold(): void {
    this.reading = 'held';
    this.stream.pause();
  }

  readonly #goOn = (): void => {
    if (this.isClosed) return;
    this.reading = 'idle';
    this.stream.resume();
    takeTurn(this.giveOut);
  };
}
