/**
 * Decides whether an owner can ever be granted its locks, by trying every order in which owners that do not wait can
 * leave, and whether the cycle of a deadlock is a real one.
 */

import type { DeadlockStep, LockMode } from '../../lib/protocol.ts';
import {
  findGrantable,
  type Hold,
  isSameLock,
  isSameOwner,
  keyOf,
  modeOf,
  type NaiveState,
  nameOf,
  type Place,
} from './naive-state.ts';

export interface NaiveOwner {
  readonly session: number;
  readonly tag: string;
}

/** A step of a cycle with the number of the session. */
export interface NaiveStep extends NaiveOwner {
  readonly name: string;
  readonly mode: LockMode;
  readonly blockedBy: DeadlockStep['blockedBy'];
}

/** Whether the owner is granted all locks that it waits for in some order of departures. */
export function canBeGranted(state: NaiveState, owner: NaiveOwner): boolean {
  return isGrantedFrom(state, owner, new Set());
}

function isGrantedFrom(before: NaiveState, owner: NaiveOwner, seen: Set<string>): boolean {
  const state = letIn(before);
  if (!state.places.some((place) => isSameOwner(place, owner))) return true;
  const key = describe(state);
  if (seen.has(key)) return false;
  seen.add(key);
  return ownersThatMayLeave(state).some((leaving) => isGrantedFrom(without(state, leaving), owner, seen));
}

function letIn(before: NaiveState): NaiveState {
  let state = before;
  for (let [unit] = findGrantable(state); unit !== undefined; [unit] = findGrantable(state)) {
    const places = unit;
    const held = places.map(
      (place): Hold => ({ ...place, mode: modeOf(place), token: 0, requestId: undefined, isStealable: false }),
    );
    state = {
      ...state,
      holds: [...state.holds, ...held],
      places: state.places.filter((place) => !places.includes(place)),
    };
  }
  return state;
}

/** Owners without a tag, owners that wait for nothing, and owners of ended sessions. */
function ownersThatMayLeave(state: NaiveState): readonly NaiveOwner[] {
  const claims: readonly NaiveOwner[] = [...state.holds, ...state.places];
  const owners = claims.filter((claim, index) => claims.findIndex((other) => isSameOwner(other, claim)) === index);
  const isLeaving = ({ session, tag }: NaiveOwner) => tag === '' || state.ended.includes(session);
  return owners.filter((owner) => isLeaving(owner) || !state.places.some((place) => isSameOwner(place, owner)));
}

function without(state: NaiveState, owner: NaiveOwner): NaiveState {
  return {
    ...state,
    holds: state.holds.filter((hold) => !isSameOwner(hold, owner)),
    places: state.places.filter((place) => !isSameOwner(place, owner)),
  };
}

function describe({ holds, places }: NaiveState): string {
  const texts = [holds, places].map((claims: readonly (Hold | Place)[]) =>
    claims.map((claim) => `${claim.session} ${claim.tag} ${nameOf(claim)}`),
  );
  return JSON.stringify([texts[0]?.sort(), texts[1]]);
}

/** The fault of a cycle; undefined if it is a real one. */
export function findFault(cycle: readonly NaiveStep[], state: NaiveState): string | undefined {
  if (cycle.length < 2) return 'it has no two steps';
  for (const [index, step] of cycle.entries()) {
    const place = state.places.find((place) => isSameOwner(place, step) && isSameLock(place, keyOf(step)));
    if (place === undefined || modeOf(place) !== step.mode) return `${index} does not wait for that`;
    const next = cycle[(index + 1) % cycle.length] as NaiveStep;
    if (!isKeptBy(place, step, next, state))
      return `${index} is not kept from it by ${index + 1} as a ${step.blockedBy}`;
  }
  return undefined;
}

function isKeptBy(place: Place, { mode, blockedBy }: NaiveStep, next: NaiveOwner, state: NaiveState): boolean {
  if (blockedBy === 'waiter') {
    const queue = state.places.filter((other) => isSameLock(other, place));
    return queue.slice(0, queue.indexOf(place)).some((other) => isSameOwner(other, next));
  }
  const hold = state.holds.find((hold) => isSameOwner(hold, next) && isSameLock(hold, place));
  return hold !== undefined && (mode !== 'shared' || hold.mode === 'exclusive');
}
