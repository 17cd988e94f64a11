/**
 * What a planned stop saves of the table, and how the next run gets it back: the holds and waits of the sessions that outlive the
 * process, with the same tokens and in the same order.
 */

import type { RequestId } from '../protocol.ts';
import { makeGroup } from './group.ts';
import { findClaim, holdersOf, isAwaited, KIND_OF } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import { modeOfPlace } from './place.ts';
import { restore } from './restoration.ts';
import { ownerOf } from './session.ts';
import type {
  Claim,
  Group,
  Lock,
  LockAllRequest,
  LockRequest,
  SavedHold,
  SavedRequest,
  SavedSession,
  SavedTable,
  Session,
  WaitingRequest,
} from './types.ts';

/** Describes everything that sessions with a `keptId` have. */
export function saveTable(book: LockBook, nowMs: number): SavedTable {
  const sessions: SavedSession[] = [];
  const holds: SavedHold[] = [];
  const waits: SavedRequest[] = [];
  const numbers = new Map<Session, number>();
  const numberOf = (session: Session): number | undefined => {
    const { address, clientName, keptId } = session.client;
    if (session.state === 'ended' || keptId === undefined) return undefined;
    const known = numbers.get(session);
    if (known !== undefined) return known;
    numbers.set(session, sessions.length);
    return sessions.push({ id: keptId, address, clientName }) - 1;
  };
  const locks = [...book.locks.readerWriter, ...book.locks.permit];
  for (const holder of locks.flatMap((lock) => [...holdersOf(lock)])) {
    const session = numberOf(holder.owner.session);
    if (session !== undefined) holds.push(saveHold(holder, session, nowMs));
  }
  for (const claim of waitsInOrder(locks)) {
    const session = numberOf(claim.owner.session);
    if (session !== undefined) for (const wait of requestsOf(claim)) waits.push(saveWait(wait, session, claim, nowMs));
  }
  holds.sort((a, b) => a.token - b.token);
  return { sessions, holds, waits };
}

/**
 * Gives saved sessions back what they had; those that are undefined are left out. Nothing is granted here. `contextOf` gives what
 * comes back with the answer to a request.
 */
export function loadTable(
  book: LockBook,
  { holds, waits }: SavedTable,
  sessions: readonly (Session | undefined)[],
  contextOf: (session: number, id: RequestId | undefined) => unknown,
  nowMs: number,
): void {
  for (const hold of holds) {
    const session = sessions[hold.session];
    if (session !== undefined) restore(book, session, hold, nowMs);
  }
  for (const saved of waits) {
    const session = sessions[saved.session];
    if (session === undefined) continue;
    const context = contextOf(saved.session, saved.request.id);
    const request = { ...saved.request, waitMs: saved.request.waitMs ?? Number.POSITIVE_INFINITY, context };
    if ('locks' in request) addGroup(book, session, request, saved.agoMs, nowMs);
    else addWait(book, session, request, saved.agoMs, nowMs);
  }
}

/**
 * The claims that wait, one for each request for several locks, in an order in which all queues can be made again. Each queue is in
 * the order of arrival, so a request for several locks is next once it is first in all its queues.
 */
function* waitsInOrder(locks: readonly Lock[]): Generator<Claim, void, undefined> {
  const reached = new Map<Group, number>();
  const next = locks.filter(isAwaited).map(({ queue }) => queue?.first);
  for (let claim = next.pop(); claim !== undefined; claim = next.pop()) {
    const { group } = claim;
    if (group !== undefined) {
      const count = (reached.get(group) ?? 0) + 1;
      reached.set(group, count);
      if (count < group.waiting.length) continue;
    }
    yield claim;
    for (const each of group?.waiting ?? [claim]) if (each.next !== undefined) next.push(each.next);
  }
}

function requestsOf({ group, place }: Claim): readonly WaitingRequest[] {
  return group === undefined ? [...(place?.waits ?? [])] : [group];
}

function saveHold(claim: Claim, session: number, nowMs: number): SavedHold {
  const { lock, mode, owner, token, lease, isStealable, requestId, sinceMs } = claim;
  return {
    session,
    name: lock.name,
    mode,
    tag: owner.tag,
    token,
    leaseMs: lease && Math.max(1, lease.deadlineMs - nowMs),
    isStealable,
    id: requestId,
    agoMs: nowMs - sinceMs,
  };
}

function saveWait({ request, deadlineMs }: WaitingRequest, session: number, claim: Claim, nowMs: number): SavedRequest {
  const { context: _context, ...rest } = request;
  const waitMs = deadlineMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, deadlineMs - nowMs);
  return { session, agoMs: nowMs - claim.sinceMs, request: { ...rest, waitMs } };
}

function addWait(book: LockBook, session: Session, request: LockRequest, agoMs: number, nowMs: number): void {
  const claim = claimFor(book, session, request, nowMs - agoMs);
  const isNew = claim.state === 'new';
  book.addWait(claim, request, nowMs);
  if (claim.place !== undefined) claim.mode = modeOfPlace(claim.place);
  if (isNew) book.observer?.queued(claim);
}

function addGroup(book: LockBook, session: Session, request: LockAllRequest, agoMs: number, nowMs: number): void {
  const claims = request.locks.map(({ name, mode, limit = Number.POSITIVE_INFINITY }) => {
    const claim = claimFor(book, session, { name, mode, tag: request.tag }, nowMs - agoMs);
    if (claim.state === 'new') claim.groupLimit = limit;
    return claim;
  });
  const group = makeGroup(request, claims as [Claim, ...Claim[]]);
  book.addGroup(group, nowMs);
  book.observer?.queued(group.waiting[0] as Claim);
}

/** What the owner has on the lock: requests of one owner wait in one place. */
function claimFor(
  book: LockBook,
  session: Session,
  { name, mode, tag }: Pick<LockRequest, 'name' | 'mode' | 'tag'>,
  sinceMs: number,
): Claim {
  const lock = book.locks[KIND_OF[mode]].getOrAdd(name);
  const owner = ownerOf(session, tag);
  return findClaim(lock, owner) ?? book.addClaim(lock, owner, mode, sinceMs);
}
