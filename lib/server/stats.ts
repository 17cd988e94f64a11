/** What happened to locks since the start, counted from what the lock table says happened. */

import type { AllGranted, Granted, LockStatistics, LostHold } from '../protocol.ts';
import type { LockAllResult, LockResult } from './lock-manager.ts';

/** The part of the statistics that only grows. */
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

  /** An answer to a request for one lock or several, given at once or later. */
  recordAnswer(result: LockResult | LockAllResult): void {
    if (result.status === 'ok') this.#grants += countGrants(result);
    else if (result.status === 'timeout') this.#timeouts += 1;
    else if (result.status === 'cancelled') this.#cancelled += 1;
    else if (result.status === 'deadlock') this.#deadlocks += 1;
  }

  /** A hold that ended without its owner asking for it. */
  recordLoss({ reason, mode }: LostHold): void {
    if (reason === 'lease') this.#expiredLeases += 1;
    else if (reason === 'forced') this.#forced += 1;
    else if (reason === 'stolen') this.#stolen += 1;
    else if (mode === 'permit') this.#permitOrphans += 1;
    else this.#orphans += 1;
  }
}

/** A request for several locks has a grant of each that the owner did not hold before. */
function countGrants(result: Granted | AllGranted): number {
  if ('tokens' in result) return result.tokens.length - (result.alreadyHeld?.length ?? 0);
  return result.alreadyHeld === undefined ? 1 : 0;
}
