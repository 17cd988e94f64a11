/** Counts lock events since the start, as the lock table reports them. */

import type { LockStatistics, LostHold } from '../protocol.ts';
import type { LockAllResult, LockResult } from './lock-manager.ts';

/** The statistics that only grow. */
export type LockTotals = Pick<
  LockStatistics,
  | 'grants'
  | 'releases'
  | 'timeouts'
  | 'cancelled'
  | 'deadlocks'
  | 'expiredLeases'
  | 'forced'
  | 'stolen'
  | 'orphans'
  | 'permitOrphans'
>;

/** Counts answers, releases and losses. */
export class StatisticsRecorder {
  releases = 0;
  #grants = 0;
  #timeouts = 0;
  #cancelled = 0;
  #deadlocks = 0;
  #expiredLeases = 0;
  #forced = 0;
  #stolen = 0;
  #orphans = 0;
  #permitOrphans = 0;

  get totals(): LockTotals {
    return {
      grants: this.#grants,
      releases: this.releases,
      timeouts: this.#timeouts,
      cancelled: this.#cancelled,
      deadlocks: this.#deadlocks,
      expiredLeases: this.#expiredLeases,
      forced: this.#forced,
      stolen: this.#stolen,
      orphans: this.#orphans,
      permitOrphans: this.#permitOrphans,
    };
  }

  /** Counts the answer to a request for one lock or several. */
  recordAnswer(result: LockResult | LockAllResult): void {
    // A lock that the owner held before is not a new grant.
    if (result.status === 'ok' && 'tokens' in result)
      this.#grants += result.tokens.length - (result.alreadyHeld?.length ?? 0);
    else if (result.status === 'ok') this.#grants += result.alreadyHeld === undefined ? 1 : 0;
    else if (result.status === 'timeout') this.#timeouts += 1;
    else if (result.status === 'cancelled') this.#cancelled += 1;
    else if (result.status === 'deadlock') this.#deadlocks += 1;
  }

  /** Counts a hold that ended although its owner did not release it. */
  recordLoss({ reason, mode }: LostHold): void {
    if (reason === 'lease') this.#expiredLeases += 1;
    else if (reason === 'forced') this.#forced += 1;
    else if (reason === 'stolen') this.#stolen += 1;
    else if (mode === 'permit') this.#permitOrphans += 1;
    else this.#orphans += 1;
  }
}
