/** A client as a message server sees it, for as long as its connection lasts. */

import type { MessageConnection } from './message-connection.ts';

/** A client's own id for a request: a whole number or a string. */
export type MessageId = number | string;

/** One client's session. A server extends it to store more about its clients. */
export class MessageSession {
  readonly connection: MessageConnection;
  /** The name of the protocol that the client speaks; undefined until its first byte has come. */
  protocol: string | undefined;
  /** `ended` as soon as nothing more is expected from the client, which may be before the connection is gone. */
  state: 'live' | 'ended' = 'live';
  /** The number of requests whose results will come later. Their ids are kept below. */
  pendingCount = 0;
  /** Any one of the ids. */
  #pendingId: MessageId | undefined;
  /**
   * The other ids. Most clients wait for one result at a time, and a Set that fills and empties allocates again and
   * again.
   */
  #otherPendingIds: Set<MessageId> | undefined;

  constructor(connection: MessageConnection) {
    this.connection = connection;
  }

  isPending(id: MessageId): boolean {
    return this.#pendingId === id || this.#otherPendingIds?.has(id) === true;
  }

  /** A result will come later. */
  addPending(id: MessageId | undefined): void {
    this.pendingCount += 1;
    if (id === undefined) return;
    if (this.#pendingId === undefined) {
      this.#pendingId = id;
    } else {
      this.#otherPendingIds ??= new Set();
      this.#otherPendingIds.add(id);
    }
  }

  /** A pending result has come, and its reply was sent if there is one. */
  removePending(id: MessageId | undefined): void {
    this.pendingCount -= 1;
    if (id !== undefined && id === this.#pendingId) this.#pendingId = undefined;
    else if (id !== undefined) this.#otherPendingIds?.delete(id);
    this.endIfAnswered();
  }

  /** Closes this side, once the client has closed its own and has all answers that it can tell apart. */
  endIfAnswered(): void {
    if (this.#pendingId !== undefined || (this.#otherPendingIds?.size ?? 0) > 0) return;
    if (this.connection.isFinished) this.connection.end();
  }

  /** Where the answers go that come later: to another session once that one speaks for the client. */
  get receiver(): MessageSession {
    return this;
  }

  /** Where the client is, for people: `127.0.0.1:50123`. */
  get address(): string {
    return this.connection.peer;
  }

  /** Sends an event: a message that answers no request, such as `{"event":"tick"}`. */
  sendEvent(event: { readonly event: string; readonly [key: string]: unknown }): void {
    this.connection.send(event);
  }
}
