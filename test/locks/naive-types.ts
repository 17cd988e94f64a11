/** The results of the naive lock table: those of the lock table, with numbers for sessions. */

import type { WaitResult } from '../../lib/locks/types.ts';
import type { LostHold } from '../../lib/protocol.ts';

export type NaiveEvent =
  | { readonly kind: 'answered'; readonly session: number; readonly context: number; readonly result: WaitResult }
  | { readonly kind: 'lost'; readonly session: number; readonly hold: LostHold };

export interface NaiveOutcome<Result> {
  readonly result: Result;
  readonly events: readonly NaiveEvent[];
}
