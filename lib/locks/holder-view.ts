/** Holders and waiters as others may see them. */

import type { Claim } from './claim.ts';
import type { HolderView, NamedHolderView, WaiterView } from './types.ts';

/** A hold. */
export function viewHolder<Subject, Context>(claim: Claim<Subject, Context>): HolderView<Subject, Context> {
  const { owner, mode, token, sinceMs, isStealable } = claim;
  return { session: owner.session, tag: owner.tag, mode, token, sinceMs, isStealable };
}

/** The same with the name of the lock. */
export function viewNamedHolder<Subject, Context>(claim: Claim<Subject, Context>): NamedHolderView<Subject, Context> {
  return { name: claim.name, ...viewHolder(claim) };
}

/** A place in a queue, `position` from its head on. */
export function viewWaiter<Subject, Context>(
  claim: Claim<Subject, Context>,
  position: number,
): WaiterView<Subject, Context> {
  const { owner, mode, sinceMs, group, waitLimit } = claim;
  const limit = mode === 'permit' && waitLimit !== Number.POSITIVE_INFINITY ? waitLimit : undefined;
  return { session: owner.session, tag: owner.tag, mode, limit, sinceMs, position, isPartOfAll: group !== undefined };
}
