/** Holds and places as plain arrays, and the rules that decide about a grant. */

import type { LockAllRequest, LockRequest, ReleaseRequest } from '../../lib/locks/types.ts';
import type { LockMode, RequestedLock, RequestId } from '../../lib/protocol.ts';

export type Request = LockRequest & { readonly context: number };
export type AllRequest = LockAllRequest & { readonly context: number };

/** The key of a lock: the reader/writer lock or the permit of a name. */
export interface LockKey {
  readonly name: string;
  readonly isPermit: boolean;
}

export interface Hold extends LockKey {
  readonly session: number;
  readonly tag: string;
  readonly mode: LockMode;
  readonly token: number;
  readonly sinceMs: number;
  readonly requestId: RequestId | undefined;
  readonly isStealable: boolean;
}

/** A request that waits for several locks. */
export interface Group {
  readonly request: AllRequest;
  /** In the order asked for. */
  readonly places: readonly Place[];
  /** The holds that the owner had before. */
  readonly held: readonly Hold[];
}

/** The place of an owner in the queue of a lock, with all its requests in order of arrival, or as part of a group. */
export interface Place extends LockKey {
  readonly session: number;
  readonly tag: string;
  readonly sinceMs: number;
  readonly requests: Request[];
  readonly wanted: RequestedLock | undefined;
}

export interface NaiveState {
  /** In order of their grants. */
  readonly holds: readonly Hold[];
  /** In order of arrival. */
  readonly places: readonly Place[];
  readonly groups: readonly Group[];
  /** Sessions that have ended, perhaps with something left. */
  readonly ended: readonly number[];
}

export function isSameLock(a: LockKey, b: LockKey): boolean {
  return a.name === b.name && a.isPermit === b.isPermit;
}

export function isSameOwner(a: { session: number; tag: string }, b: { session: number; tag: string }): boolean {
  return a.session === b.session && a.tag === b.tag;
}

export function keyOf({ name, mode }: { name: string; mode: LockMode }): LockKey {
  return { name, isPermit: mode === 'permit' };
}

/** One name for each lock, across both name spaces. */
export function nameOf(key: LockKey): string {
  return key.isPermit ? `permit ${key.name}` : key.name;
}

export function limitAsked(request: { readonly limit?: number | undefined }): number {
  return request.limit ?? Number.POSITIVE_INFINITY;
}

export function limitOf(place: Place): number {
  return place.wanted === undefined ? Math.max(...place.requests.map(limitAsked)) : limitAsked(place.wanted);
}

export function modeOf(place: Place): LockMode {
  if (place.wanted !== undefined) return place.wanted.mode;
  const modes = place.requests.map((request) => request.mode);
  return modes.includes('exclusive') ? 'exclusive' : (modes[0] as LockMode);
}

/** The places that are granted in one step: those of a group, or one place. */
function unitOf(state: NaiveState, place: Place): readonly Place[] {
  return state.groups.find((group) => group.places.includes(place))?.places ?? [place];
}

export function hasRoomFor(state: NaiveState, key: LockKey, mode: LockMode, limit: number): boolean {
  const holders = state.holds.filter((hold) => isSameLock(hold, key));
  if (mode === 'permit') return holders.length < limit;
  if (mode === 'shared') return holders.every((hold) => hold.mode === 'shared');
  return holders.length === 0;
}

export function isHead(state: NaiveState, place: Place): boolean {
  return state.places.find((other) => isSameLock(other, place)) === place;
}

/** All units that could be granted now. */
export function findGrantable(state: NaiveState): readonly (readonly Place[])[] {
  const units = [...new Set(state.places.map((place) => unitOf(state, place)))];
  return units.filter((unit) => unit.every((place) => couldGrant(state, unit, place)));
}

function couldGrant(state: NaiveState, unit: readonly Place[], place: Place): boolean {
  const isPassing = place.isPermit && limitOf(place) === Number.POSITIVE_INFINITY && mayPass(state, unit, place);
  return isPassing || (isHead(state, place) && hasRoomFor(state, place, modeOf(place), limitOf(place)));
}

/** A tagged owner keeps its holds while it waits, so it may pass others only when it waits for nothing else. */
function mayPass(state: NaiveState, unit: readonly Place[], { session, tag }: Place): boolean {
  const places = state.places.filter((place) => isSameOwner(place, { session, tag }));
  return tag === '' || places.length === unit.length;
}

/** A token identifies a hold. Without one the name is needed, and the tag and the kind of lock have defaults. */
export function isNamed(
  request: ReleaseRequest,
  claim: Hold | Place,
  mode: LockMode,
  token: number | undefined,
): boolean {
  const hasToken = request.token !== undefined;
  if (hasToken && request.token !== token) return false;
  if (!hasToken && request.name === undefined) return false;
  if (!hasToken && request.mode === undefined && claim.isPermit) return false;
  const { name = claim.name, mode: modeAsked = mode, tag = hasToken ? claim.tag : '' } = request;
  return name === claim.name && modeAsked === mode && tag === claim.tag;
}
