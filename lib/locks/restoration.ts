/** The holds of an earlier run of the server. */

import { findClaim, holdersOf, KIND_OF } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import { ownerOf } from './session.ts';
import type { Claim, EarlierHold, Lock, Session } from './types.ts';

/**
 * Gives a hold back to its session; returns whether that is possible. Of holds that exclude each other the one with the greatest
 * token stays, since it was granted last.
 */
export function restore(book: LockBook, session: Session, hold: EarlierHold, nowMs: number): boolean {
  const { name, mode, tag, token, agoMs = 0 } = hold;
  const lock = book.locks[KIND_OF[mode]].getOrAdd(name);
  const owner = ownerOf(session, tag);
  const rivals = rivalsOf(lock, hold);
  // Its client told of it before, on a connection whose end is still being carried out.
  const same = rivals.find((rival) => rival.token === token && rival.owner.session.state === 'ended');
  if (same !== undefined) {
    book.takeBackClaim(same);
    return restore(book, session, hold, nowMs);
  }
  if (findClaim(lock, owner) !== undefined || rivals.some((rival) => rival.token >= token)) {
    book.forgetIfUnused(lock);
    return false;
  }
  for (const rival of rivals) book.takeAway(rival, 'forced');
  const claim = book.addClaim(book.locks[KIND_OF[mode]].getOrAdd(name), owner, mode, nowMs);
  book.hold(claim, token, hold, nowMs);
  claim.sinceMs = Math.floor(nowMs - agoMs);
  return true;
}

/** Limits of permits may differ, so permits never exclude each other here. */
function rivalsOf(lock: Lock, { mode }: EarlierHold): readonly Claim[] {
  if (mode === 'permit') return [];
  if (mode === 'exclusive') return [...holdersOf(lock)];
  // Shared holders may be very many; an exclusive one is alone.
  return lock.firstHolder?.mode === 'exclusive' ? [lock.firstHolder] : [];
}
