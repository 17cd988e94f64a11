/** The limits of a message server. */

import type { ConnectionBounds } from './connection-places.ts';
import type { ConnectionLimits } from './message-connection.ts';
import type { ReadingLimits } from './server-reading.ts';

/** The limits of a server. Lengths are bytes of UTF-8; unsent output counts a character as one byte. */
export interface MessageLimits extends ConnectionBounds, ConnectionLimits, ReadingLimits {
  readonly maxMessageBytes: number;
  /** Lists, objects, items and members in one message of JSON. */
  readonly maxMessageValues: number;
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
  maxConnectionsPerAddress: 10_000,
  maxMessageBytes: 1_048_576,
  maxMessageValues: 25_000,
  messageTimeoutMs: 30_000,
  totalInputBytes: 268_435_456,
  maxPendingRequests: 10_000,
  maxPendingListings: 128,
  softOutputBytes: 262_144,
  hardOutputBytes: 16_777_216,
  totalOutputBytes: 268_435_456,
  closeTimeoutMs: 10_000,
};
