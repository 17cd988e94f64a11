/** The results of the naive lock table: those of the lock table, with numbers for sessions. */

import type { WaitResult } from '../../lib/locks/types.ts';
import type { LostHold } from '../../lib/protocol.ts';
import type { Hold } from './naive-state.ts';

export type NaiveEvent =
  | { readonly kind: 'answered'; readonly session: number; readonly context: number; readonly result: WaitResult }
  | { readonly kind: 'lost'; readonly session: number; readonly hold: LostHold };

export interface NaiveOutcome<Result> {
  readonly result: Result;
  readonly events: readonly NaiveEvent[];
}

/** The end of a session, or of all that one of its owners has. */
export interface NaiveDeparture {
  readonly session: number;
  readonly tag: string | undefined;
  readonly isEnd: boolean;
}

/** Holds of one lock that were taken away. */
export interface NaiveEviction {
  readonly holds: readonly Hold[];
  readonly reason: 'stolen' | 'forced';
}
