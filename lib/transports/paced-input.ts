/** Passes on what comes from a socket in small pieces, as far as the turn has time for it. */

import type { Socket } from 'node:net';
import { TurnBudget } from '../message/scheduler.ts';

/** One message that comes alone and is no longer than this is passed on at once. */
const MAX_SMALL_BYTES = 512;
/** Some 300 frames without content. Below the `highWaterMark` of `ws`, which would stop the socket otherwise. */
const PIECE_BYTES = 2_048;
/** How much of a turn is spent on the pieces of all sockets. */
const BUDGET_MS = 2;

const pieces = new TurnBudget(BUDGET_MS);

/**
 * `passing`: a reader has a piece in hand; `pausing` if it wants no further one. `queued`: the next piece waits for its turn; `held` if it
 * may not be passed on when that comes.
 */
type State = 'flowing' | 'passing' | 'pausing' | 'paused' | 'queued' | 'held';

const PAUSED: Readonly<Partial<Record<State, State>>> = { flowing: 'paused', passing: 'pausing', queued: 'held' };

/** Stands between a socket and its readers. */
export class PacedInput {
  readonly #socket: Socket;
  readonly #isOneMessage: (bytes: Buffer) => boolean;
  readonly #readers: readonly ((bytes: Buffer) => void)[];
  /** What has come and was not passed on. The socket is stopped meanwhile. */
  #rest: Buffer | undefined;
  #state: State = 'flowing';

  /**
   * Takes the place of the readers that the socket has now. `before` sees each piece before they do. `isOneMessage` tells
   * whether the bytes that come next hold no more than one message.
   */
  constructor(socket: Socket, before: (bytes: Buffer) => void, isOneMessage: (bytes: Buffer) => boolean) {
    this.#isOneMessage = isOneMessage;
    const readers = socket.listeners('data') as ((bytes: Buffer) => void)[];
    socket.removeAllListeners('data');
    this.#socket = socket;
    this.#readers = [before, ...readers.map((read) => read.bind(socket))];
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
  }

  pause(): void {
    this.#state = PAUSED[this.#state] ?? this.#state;
    this.#socket.pause();
  }

  resume(): void {
    if (this.#state === 'held') this.#state = 'queued';
    else if (this.#state === 'pausing') this.#state = 'passing';
    else if (this.#state === 'paused') this.#flow();
  }

  #take(bytes: Buffer): void {
    if (bytes.length <= MAX_SMALL_BYTES && this.#isOneMessage(bytes)) {
      this.#pass(bytes);
    } else {
      this.#rest = bytes;
      while (this.#rest !== undefined && this.#state === 'flowing' && !pieces.isUsedUp) this.#passNext(this.#rest);
    }
    if (this.#rest !== undefined) this.#socket.pause();
    if (this.#state === 'flowing') this.#flow();
  }

  #flow(): void {
    if (this.#rest !== undefined) {
      this.#state = 'queued';
      pieces.add(() => this.#goOn());
      return;
    }
    this.#state = 'flowing';
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  #goOn(): 'again' | undefined {
    this.#state = this.#state === 'held' ? 'paused' : 'flowing';
    if (this.#state === 'flowing' && this.#rest !== undefined) this.#passNext(this.#rest);
    if (this.#state !== 'flowing') return undefined;
    if (this.#rest === undefined) {
      this.#flow();
      return undefined;
    }
    this.#state = 'queued';
    return 'again';
  }

  #passNext(rest: Buffer): void {
    this.#rest = rest.length > PIECE_BYTES ? rest.subarray(PIECE_BYTES) : undefined;
    this.#pass(rest.subarray(0, PIECE_BYTES));
    if (this.#socket.destroyed) this.#rest = undefined;
  }

  /** What was read of a socket that is gone does not count. */
  #pass(bytes: Buffer): void {
    if (this.#socket.destroyed) return;
    this.#state = 'passing';
    for (const read of this.#readers) read(bytes);
    this.#state = (this.#state as State) === 'pausing' ? 'paused' : 'flowing';
  }
}
