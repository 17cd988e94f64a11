/** The views of the naive lock table. The client of a session is named by the session's number. */

import type { LockInformation, NamedLockHolder } from '../../lib/protocol.ts';
import { type Hold, isSameLock, type LockKey, limitOf, modeOf, type NaiveState } from './naive-state.ts';

export function inspectState(state: NaiveState, lockName: string, max: number, nowMs: number): LockInformation {
  const readerWriterFirst = (a: LockKey, b: LockKey) => Number(a.isPermit) - Number(b.isPermit);
  const holds = state.holds.filter(({ name }) => name === lockName).sort(readerWriterFirst);
  const places = state.places.filter(({ name }) => name === lockName).sort(readerWriterFirst);
  return {
    lockName,
    holderCount: holds.length,
    waiterCount: places.length,
    holders: holds.slice(0, max).map((hold) => {
      const { lockName: _, ...holder } = viewHold(hold, nowMs);
      return holder;
    }),
    waiters: places.slice(0, max).map((place) => {
      const { session, tag, isPermit, sinceMs, wanted } = place;
      return {
        owner: tag,
        name: String(session),
        address: '',
        mode: modeOf(place),
        ...(isPermit && limitOf(place) !== Number.POSITIVE_INFINITY ? { limit: limitOf(place) } : {}),
        position: state.places.filter((other) => isSameLock(other, place)).indexOf(place) + 1,
        ...(wanted === undefined ? {} : { lockAll: true }),
        waitedMs: nowMs - sinceMs,
      };
    }),
  };
}

export function viewHold(
  { session, tag, name, mode, token, sinceMs, isStealable }: Hold,
  nowMs: number,
): NamedLockHolder {
  const view = { lockName: name, owner: tag, name: String(session), address: '', mode, token, heldMs: nowMs - sinceMs };
  return isStealable ? { ...view, stealable: true } : view;
}

export function listState(state: NaiveState): readonly string[] {
  return [...new Set([...state.holds, ...state.places].map(({ name }) => name))].toSorted();
}
