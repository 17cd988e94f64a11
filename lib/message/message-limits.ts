/** The limits of a message server. */

import type { ConnectionLimits } from './message-connection.ts';

/** The limits of a server. Lengths are bytes of UTF-8; unsent output counts a character as one byte. */
export interface MessageLimits extends ConnectionLimits {
  readonly maxConnections: number;
  /** The server stops reading a client's messages while more than this much output is unsent. */
  readonly softOutputBytes: number;
  /**
   * Above this much unsent output of all connections no listing is made, and a connection that has more than
   * `softOutputBytes` of it is cut off when it gets more.
   */
  readonly totalOutputBytes: number;
  readonly maxMessageBytes: number;
  /**
   * How many requests of one session may be waiting for their results. Beyond that, commands that may wait are refused.
   */
  readonly maxPendingRequests: number;
  /** How many listings of one session may be waiting or under way. */
  readonly maxPendingListings: number;
}

/** The limits by default. */
export const DEFAULT_MESSAGE_LIMITS: MessageLimits = {
  maxConnections: 20_000,
  maxMessageBytes: 1_048_576,
  maxPendingRequests: 10_000,
  maxPendingListings: 128,
  softOutputBytes: 262_144,
  hardOutputBytes: 16_777_216,
  totalOutputBytes: 268_435_456,
  closeTimeoutMs: 10_000,
};
