/** Where the server finds what happened: the port to whatever keeps the history. */

import type { PendingResult } from '../message/pending-result.ts';
import type { HistoryPage, HistoryReason } from '../protocol.ts';

/** Every reason that a record can have. */
export const HISTORY_REASONS: readonly HistoryReason[] = [
  'released',
  'lease',
  'sessionEnded',
  'forced',
  'stolen',
  'bye',
  'left',
  'lost',
  'expired',
  'killed',
  'stopped',
  'timeout',
  'deadlock',
  'cancelled',
  'limit',
  'unavailable',
  'denied',
  'draining',
  'invalid',
  'steal',
  'forceUnlock',
  'kill',
];

/** Which records are wanted. All that is given must fit. */
export interface HistoryQuery {
  readonly lockName?: string | undefined;
  /** Only locks whose names begin with this. */
  readonly prefix?: string | undefined;
  /** Only what lasted until this moment or later, in milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  /** Only what had begun by this moment. */
  readonly untilMs?: number | undefined;
  readonly reason?: HistoryReason | undefined;
  /** Only records before the one with this number, which is the `next` of the page before. */
  readonly after?: number | undefined;
}

/** The most that one page contains. */
export interface HistoryPageLimits {
  readonly max: number;
  /** Roughly; a single record is told however long it is. */
  readonly maxBytes: number;
}

/** Keeps the history. */
export interface HistorySource {
  /** Resolves to the newest records that are wanted; never, once `isWanted` is false. */
  page(query: HistoryQuery, limits: HistoryPageLimits, isWanted: () => boolean): PendingResult<HistoryPage>;
}
