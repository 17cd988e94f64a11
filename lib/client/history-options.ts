/** The options of `client.history()`, and the parameters that they become. */

import type { HistoryReason } from '../protocol.ts';
import { ANYTHING, type OptionRules, requireOptions } from './options.ts';

/** Which records of the history are wanted. All that is given must fit. */
export interface HistoryOptions {
  /** Only this lock. */
  readonly lockName?: string | undefined;
  /** Only locks whose names begin with this. */
  readonly prefix?: string | undefined;
  /** Only what lasted until this moment or later: milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  /** Only what had begun by this moment: milliseconds since 1970. */
  readonly untilMs?: number | undefined;
  readonly reason?: HistoryReason | undefined;
  /** The `next` of the page before. */
  readonly after?: number | undefined;
  /** How many records to tell at most; 100 by default. */
  readonly max?: number | undefined;
}

const MS_A_SECOND = 1_000;
const HISTORY_OPTIONS: OptionRules = {
  lockName: ANYTHING,
  prefix: ANYTHING,
  sinceMs: ANYTHING,
  untilMs: ANYTHING,
  reason: ANYTHING,
  after: ANYTHING,
  max: ANYTHING,
};

/** Checks the names of the options; the server checks their values. @throws LockInvalidError when one is unknown. */
export function toHistoryParameters(options: HistoryOptions): object {
  const { sinceMs, untilMs, ...others } = requireOptions(options, HISTORY_OPTIONS);
  return { ...others, since: inSeconds(sinceMs), until: inSeconds(untilMs) };
}

/** What is no number is left for the server to refuse. */
function inSeconds(timeMs: number | undefined): unknown {
  return typeof timeMs === 'number' ? timeMs / MS_A_SECOND : timeMs;
}
