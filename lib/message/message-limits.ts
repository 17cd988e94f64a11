/** What a message server admits at most. */

import type { ConnectionLimits } from './message-connection.ts';

/** What a server admits at most. Lengths are bytes in UTF-8; unsent output counts a character as one. */
export interface MessageLimits extends ConnectionLimits {
  readonly maxConnections: number;
  /** Above this much unsent output no more messages of the client are read. */
  readonly softOutputBytes: number;
  readonly maxMessageBytes: number;
  /** Requests of one session whose result has yet to come; with so many, only immediate commands are served. */
  readonly maxPendingRequests: number;
}

/** The limits of a server that was not told any. */
export const DEFAULT_MESSAGE_LIMITS: MessageLimits = {
  maxConnections: 20_000,
  maxMessageBytes: 1_048_576,
  maxPendingRequests: 10_000,
  softOutputBytes: 262_144,
  hardOutputBytes: 16_777_216,
  closeTimeoutMs: 10_000,
};
