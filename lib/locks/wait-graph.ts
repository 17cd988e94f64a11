/** Deadlock detection. */

import type { Claim } from './claim.ts';
import type { Owner } from './lock-session.ts';
import type { Deadlock } from './types.ts';

export interface DeadlockQuestion<Subject, Context> {
  readonly waiting?: readonly Claim<Subject, Context>[];
  readonly passing?: readonly Claim<Subject, Context>[];
}

export function mayDeadlock<Subject, Context>(
  _owner: Owner<Subject, Context>,
  _claims: readonly Claim<Subject, Context>[],
): boolean {
  return false;
}

export function mayDeadlockByPassing<Subject, Context>(_claim: Claim<Subject, Context>): boolean {
  return false;
}

export function findDeadlock<Subject, Context>(
  _owner: Owner<Subject, Context>,
  _question: DeadlockQuestion<Subject, Context>,
): Deadlock<Subject, Context> | undefined {
  return undefined;
}
