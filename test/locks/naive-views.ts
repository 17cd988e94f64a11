/** What the naive lock table shows of its arrays. */

import { isSameLock, type LockKey, limitOf, modeOf, type NaiveState } from './naive-state.ts';
import type { NaivePage, NaiveView } from './naive-types.ts';

export function inspectState(state: NaiveState, name: string, max: number): NaiveView {
  const readerWriterFirst = (a: LockKey, b: LockKey) => Number(a.isPermit) - Number(b.isPermit);
  const holds = state.holds.filter((hold) => hold.name === name).sort(readerWriterFirst);
  const places = state.places.filter((place) => place.name === name).sort(readerWriterFirst);
  return {
    name,
    holderCount: holds.length,
    waiterCount: places.length,
    holders: holds.slice(0, max).map(({ session, tag, mode, token, sinceMs, isStealable }) => {
      return { session, tag, mode, token, sinceMs, isStealable };
    }),
    waiters: places.slice(0, max).map((place) => {
      const { session, tag, isPermit, sinceMs, wanted } = place;
      const limit = isPermit && limitOf(place) !== Number.POSITIVE_INFINITY ? limitOf(place) : undefined;
      const position = state.places.filter((other) => isSameLock(other, place)).indexOf(place) + 1;
      return { session, tag, mode: modeOf(place), limit, sinceMs, position, isPartOfAll: wanted !== undefined };
    }),
  };
}

export function listState(
  state: NaiveState,
  prefix: string,
  after: string | undefined,
  max: number,
  compareNames: (a: string, b: string) => number,
): NaivePage {
  const names = [...new Set([...state.holds, ...state.places].map((claim) => claim.name))]
    .sort(compareNames)
    .filter((name) => name.startsWith(prefix) && (after === undefined || compareNames(name, after) > 0));
  return { names: names.slice(0, max), hasMore: names.length > max };
}
