/** What the naive lock table says: the same as the lock table, with numbers for sessions. */

import type { LockMode, LossReason, WaitResult } from '../../lib/locks/types.ts';

export type NaiveEvent =
  | { readonly kind: 'answered'; readonly session: number; readonly context: number; readonly result: WaitResult }
  | {
      readonly kind: 'lost';
      readonly session: number;
      readonly name: string;
      readonly mode: LockMode;
      readonly tag: string;
      readonly token: number;
      readonly reason: LossReason;
    };

export interface NaiveOutcome<Result> {
  readonly result: Result;
  readonly events: readonly NaiveEvent[];
}

export interface NaiveView {
  readonly name: string;
  readonly holderCount: number;
  readonly waiterCount: number;
  readonly holders: readonly {
    session: number;
    tag: string;
    mode: LockMode;
    token: number;
    sinceMs: number;
    isStealable: boolean;
  }[];
  readonly waiters: readonly {
    session: number;
    tag: string;
    mode: LockMode;
    limit: number | undefined;
    sinceMs: number;
    position: number;
    isPartOfAll: boolean;
  }[];
}

export interface NaivePage {
  readonly names: readonly string[];
  readonly hasMore: boolean;
}
