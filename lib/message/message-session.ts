/** A client as a message server sees it, for as long as its connection lasts. */

import type { MessageConnection } from './message-connection.ts';

/** What a request is called by its client: a whole number or a string. */
export type MessageId = number | string;

/** One client's session. Servers that know more of their clients extend it. */
export class MessageSession {
  /** What the server knows it by, while it is there. */
  id = 0;
  readonly connection: MessageConnection;
  /** The name of the protocol that the client speaks; undefined until its first byte has come. */
  protocol: string | undefined;
  /** `ended` as soon as nothing more is expected from the client, which may be before the connection is gone. */
  state: 'live' | 'ended' = 'live';
  /** Requests whose result will come later: how many, and the ids of those that have one. */
  pendingCount = 0;
  /** Any one of the ids. */
  #pendingId: MessageId | undefined;
  /**
   * Those beside the one. Most clients wait for one thing at a time, and a Set whose entries come and go is made anew again
   * and again.
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

  /** A result that was to come has come, and has been sent if there is anything to send. */
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

  /** Where the client is, for people: `127.0.0.1:50123`. */
  get address(): string {
    return this.connection.peer;
  }

  /** Sends an event: a message that answers no request, such as `{"event":"tick"}`. */
  sendEvent(event: { readonly event: string; readonly [key: string]: unknown }): void {
    this.connection.send(event);
  }
}
