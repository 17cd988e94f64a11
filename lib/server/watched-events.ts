/** What happened to a lock, as those who watch it are told. */

import type { HoldEnd, WatchedEvent } from '../protocol.ts';
import type { ObservedClaim, ObservedRefusal } from './lock-observer.ts';

/** As in the history. */
const MAX_OTHER_LOCKS = 99;

/** The names of all locks that a claim waits for. */
export function namesOfWait({ lock, group }: ObservedClaim): readonly string[] {
  return group === undefined ? [lock.name] : group.waiting.map((each) => each.lock.name);
}

/** The names of all locks that were refused. */
export function namesOfRefusal({ request }: ObservedRefusal): readonly string[] {
  return 'locks' in request ? request.locks.map(({ name }) => name) : [request.name];
}

/** Somebody waits for these locks. */
export function waitOf(claim: ObservedClaim, names: readonly string[]): WatchedEvent {
  return { event: 'watched', kind: 'wait', atMs: Date.now(), ...describe(claim), otherLocks: othersOf(names) };
}

/** Somebody got a lock. */
export function grantOf(claim: ObservedClaim): WatchedEvent {
  const { token, waitedMs } = claim;
  return { event: 'watched', kind: 'grant', atMs: Date.now(), ...describe(claim), token, waitedMs };
}

/** A hold ended, by a release or otherwise. */
export function endOf(claim: ObservedClaim, how: HoldEnd, nowMs: number): WatchedEvent {
  const { token, waitedMs, sinceMs, owner } = claim;
  return {
    event: 'watched',
    kind: how === 'released' ? 'release' : 'loss',
    reason: how === 'released' ? undefined : how,
    session: how === 'sessionEnded' ? owner.session.end : undefined,
    atMs: Date.now(),
    ...describe(claim),
    token,
    waitedMs,
    heldMs: Math.max(0, Math.round(nowMs - sinceMs)),
  };
}

/** A request was not granted. */
export function refusalOf({ session, request, result, waitedMs }: ObservedRefusal): WatchedEvent {
  const locks = 'locks' in request ? request.locks : [request];
  const [{ name: lockName, mode }] = locks as readonly [(typeof locks)[number]];
  return {
    event: 'watched',
    kind: 'refusal',
    reason: result.status,
    atMs: Date.now(),
    lockName,
    otherLocks: othersOf(locks.map(({ name }) => name)),
    mode,
    owner: request.tag,
    name: session.client.clientName,
    address: session.client.address,
    waitedMs,
  };
}

function describe({
  lock,
  mode,
  owner,
}: ObservedClaim): Pick<WatchedEvent, 'lockName' | 'mode' | 'owner' | 'name' | 'address'> {
  const { clientName: name, address } = owner.session.client;
  return { lockName: lock.name, mode, owner: owner.tag, name, address };
}

/** All names but the first. */
function othersOf(names: readonly string[]): readonly string[] | undefined {
  return names.length > 1 ? names.slice(1, MAX_OTHER_LOCKS + 1) : undefined;
}
