/** A client as a message server sees it, for as long as its connection lasts. */

import type { MessageConnection } from './message-connection.ts';
import type { PendingResult } from './pending-result.ts';

/** What a request is called by its client: a whole number or a string. */
export type MessageId = number | string;

/** One client's session. Servers that know more of their clients extend it. */
export class MessageSession {
  readonly connection: MessageConnection;
  /** `ended` as soon as nothing more is expected from the client, which may be before the connection is gone. */
  state: 'live' | 'ended' = 'live';
  /** Requests whose result will come later, by their ids. */
  readonly pending: Map<MessageId, PendingResult> = new Map<MessageId, PendingResult>();

  constructor(connection: MessageConnection) {
    this.connection = connection;
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
