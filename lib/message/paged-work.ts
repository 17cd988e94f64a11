/** Listings and other work whose cost grows with what it tells: done in slices, so that nobody else waits for it. */

import type { MessageSession } from './message-session.ts';
import { TurnBudget } from './scheduler.ts';
import type { ReadingLimits } from './server-reading.ts';

/** A piece of work, short or in slices of its own. Calls `done` when it is over, at once or later. It must not throw. */
export type Piece = (done: () => void) => void;

/** What a piece that waits takes beside the texts of its request, about. */
const PIECE_BYTES = 1_000;

/** The pieces of one client, each with the characters of its request, and all these characters. */
interface Queue {
  readonly pieces: { readonly piece: Piece; readonly characters: number }[];
  characters: number;
}

/**
 * Does the pieces of one client one after the other, and those of different clients by turns, so that a client that asks
 * for much waits behind those that ask for little. A client that does not read what it was sent waits until it does.
 */
export class PagedWork {
  readonly #limits: Pick<ReadingLimits, 'softOutputBytes'>;
  readonly #isOutputFull: () => boolean;
  readonly #budget = new TurnBudget();
  readonly #queues = new Map<MessageSession, Queue>();
  /** What the pieces of all clients take that wait or are under way, about. */
  #waitingBytes = 0;

  /**
   * Nothing more is done for a client while more than `softOutputBytes` of its output is unsent, or any of it while
   * `isOutputFull` says that all clients together leave too much unread.
   */
  constructor(limits: Pick<ReadingLimits, 'softOutputBytes'>, isOutputFull: () => boolean) {
    this.#limits = limits;
    this.#isOutputFull = isOutputFull;
  }

  /** What the pieces of all clients would take with one more, whose request has so many characters. */
  bytesWith(characters: number): number {
    return this.#waitingBytes + sizeOf(characters);
  }

  /** How many pieces of the client wait, the one under way included, and how many characters their requests have. */
  countOf(session: MessageSession): { readonly pieces: number; readonly characters: number } {
    const { pieces = [], characters = 0 } = this.#queues.get(session) ?? {};
    return { pieces: pieces.length, characters };
  }

  /**
   * Does the piece now if the client has no other and this turn has time left, otherwise in a later turn. Its request
   * keeps so many characters meanwhile.
   */
  add(session: MessageSession, piece: Piece, characters = 0): void {
    this.#waitingBytes += sizeOf(characters);
    const queue = this.#queues.get(session);
    if (queue !== undefined) {
      queue.pieces.push({ piece, characters });
      queue.characters += characters;
      return;
    }
    this.#queues.set(session, { pieces: [{ piece, characters }], characters });
    this.#goOn(session);
  }

  /** Drops what was not done for a client that is gone. */
  forget(session: MessageSession): void {
    for (const { characters } of this.#queues.get(session)?.pieces ?? []) this.#waitingBytes -= sizeOf(characters);
    this.#queues.delete(session);
  }

  #goOn(session: MessageSession): void {
    this.#budget.add(() => this.#doNext(session));
  }

  /** `again` when the client has more to do now. */
  #doNext(session: MessageSession): 'again' | undefined {
    const queue = this.#queues.get(session);
    if (queue === undefined) return undefined;
    const { connection } = session;
    const { unsentBytes } = connection;
    if (unsentBytes >= this.#limits.softOutputBytes || (unsentBytes > 0 && this.#isOutputFull())) {
      connection.whenDrained(() => this.#goOn(session));
      return undefined;
    }
    let isDone = false;
    let isLater = false;
    const { piece, characters } = queue.pieces[0] as Queue['pieces'][number];
    piece(() => {
      isDone = true;
      if (this.#queues.get(session) !== queue) return;
      this.#waitingBytes -= sizeOf(characters);
      queue.pieces.shift();
      queue.characters -= characters;
      if (queue.pieces.length === 0) this.#queues.delete(session);
      else if (isLater) this.#goOn(session);
    });
    isLater = !isDone;
    return isDone && queue.pieces.length > 0 ? 'again' : undefined;
  }
}

/** A character takes up to two bytes. */
function sizeOf(characters: number): number {
  return PIECE_BYTES + 2 * characters;
}
