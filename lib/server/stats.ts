/** What happened to locks since the start, counted from what the lock table says happened. */

import type { TableEvent } from '../locks/types.ts';
import type { LockResult, LockStatistics } from './lock-manager.ts';

/** The part of the statistics that only grows. */
export type LockTotals = Pick<
  LockStatistics,
  'grants' | 'releases' | 'timeouts' | 'cancelled' | 'expiredLeases' | 'orphans' | 'permitOrphans'
>;

/** Counts answers, releases and losses. */
export class StatisticsRecorder {
  releases = 0;
  #grants = 0;
  #timeouts = 0;
  #cancelled = 0;
  #expiredLeases = 0;
  #orphans = 0;
  #permitOrphans = 0;

  get totals(): LockTotals {
    return {
      grants: this.#grants,
      releases: this.releases,
      timeouts: this.#timeouts,
      cancelled: this.#cancelled,
      expiredLeases: this.#expiredLeases,
      orphans: this.#orphans,
      permitOrphans: this.#permitOrphans,
    };
  }

  /** An answer to a lock request, given at once or later. */
  recordAnswer(result: LockResult): void {
    this.#recordStatus(result);
  }

  #recordStatus(result: { readonly status: string; readonly alreadyHeld?: unknown }): void {
    if (result.status === 'ok') {
      if (result.alreadyHeld === undefined) this.#grants += 1;
    } else if (result.status === 'timeout') {
      this.#timeouts += 1;
    } else if (result.status === 'cancelled') {
      this.#cancelled += 1;
    }
  }

  recordEvent(event: TableEvent<unknown, unknown>): void {
    if (event.kind === 'answered') this.#recordStatus(event.result);
    else if (event.reason === 'lease') this.#expiredLeases += 1;
    else if (event.mode === 'permit') this.#permitOrphans += 1;
    else this.#orphans += 1;
  }
}
