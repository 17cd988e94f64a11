/** Sessions and their owners: what each holds and waits for. */

import type { RequestId } from '../protocol.ts';
import { keyOf } from './chosen-map.ts';
import { addIfEntangled, removeIfEntangled } from './entanglement.ts';
import type { Claim, HoldIndex, Owner, Session, SessionClient, WaitingRequest } from './types.ts';

export function makeSession(client: SessionClient): Session {
  return {
    client,
    state: 'live',
    end: undefined,
    untagged: undefined,
    tagged: undefined,
    claimCount: 0,
    bytes: 0,
    waits: undefined,
    holdIndex: undefined,
  };
}

export function findOwner(session: Session, tag: string): Owner | undefined {
  return tag === '' ? session.untagged : session.tagged?.get(tag);
}

/** The owner with that tag, made when there is none. */
export function ownerOf(session: Session, tag: string): Owner {
  if (tag === '') {
    session.untagged ??= makeOwner(session, tag);
    return session.untagged;
  }
  session.tagged ??= new Map();
  const known = session.tagged.get(tag);
  if (known !== undefined) return known;
  const owner = makeOwner(session, tag);
  session.tagged.set(tag, owner);
  return owner;
}

function makeOwner(session: Session, tag: string): Owner {
  return {
    session,
    tag,
    firstClaim: undefined,
    claimCount: 0,
    waitingCount: 0,
    groups: undefined,
    claimsByLock: undefined,
  };
}

/** Adds a new claim to its owner. */
export function attach(claim: Claim): void {
  const { owner } = claim;
  const first = owner.firstClaim;
  claim.ownerNext = first;
  if (first !== undefined) first.ownerPrevious = claim;
  owner.firstClaim = claim;
  owner.claimCount += 1;
  if (first !== undefined && owner.claimCount === 2) addIfEntangled(first);
  owner.session.claimCount += 1;
  if (owner.claimsByLock !== undefined) owner.claimsByLock.set(claim.lock, claim);
}

/** Removes a claim from its owner. An owner with a tag goes with its last claim. */
export function detach(claim: Claim): void {
  const { owner, ownerPrevious, ownerNext } = claim;
  if (ownerPrevious === undefined) owner.firstClaim = ownerNext;
  else ownerPrevious.ownerNext = ownerNext;
  if (ownerNext !== undefined) ownerNext.ownerPrevious = ownerPrevious;
  claim.ownerPrevious = undefined;
  claim.ownerNext = undefined;
  if (owner.firstClaim !== undefined && owner.claimCount === 2) removeIfEntangled(owner.firstClaim);
  owner.claimCount -= 1;
  owner.session.claimCount -= 1;
  if (owner.claimsByLock !== undefined) owner.claimsByLock.delete(claim.lock);
  if (owner.claimCount === 0) owner.session.tagged?.delete(owner.tag);
}

/** All claims of an owner. The caller may remove the claim that it was just given. */
function* claimsOf(owner: Owner | undefined): Generator<Claim, void, undefined> {
  for (let claim = owner?.firstClaim; claim !== undefined; ) {
    const { ownerNext }: Claim = claim;
    yield claim;
    claim = ownerNext;
  }
}

/** All claims of a session, of one owner only if a tag is given. */
export function* claimsOfSession(session: Session, tag?: string): Generator<Claim, void, undefined> {
  if (tag !== undefined) {
    yield* claimsOf(findOwner(session, tag));
    return;
  }
  yield* claimsOf(session.untagged);
  for (const owner of session.tagged?.values() ?? []) yield* claimsOf(owner);
}

/** The request with that id, if it waits. */
export function findWait({ waits }: Session, id: RequestId | undefined): WaitingRequest | undefined {
  return id === undefined || waits === undefined ? undefined : waits.get(keyOf(id));
}

/** Whether a request with that id waits. */
export function isWaiting(session: Session, id: RequestId | undefined): boolean {
  return findWait(session, id) !== undefined;
}

export function addToWaits(session: Session, wait: WaitingRequest): void {
  const { id } = wait.request;
  if (id === undefined) return;
  session.waits ??= new Map();
  session.waits.set(keyOf(id), wait);
}

export function removeFromWaits(session: Session, wait: WaitingRequest): void {
  if (wait.request.id !== undefined) session.waits?.delete(keyOf(wait.request.id));
}

export function findHoldByToken(session: Session, token: number): Claim | undefined {
  return holdIndexOf(session).byToken.get(keyOf(token));
}

/** Whether a grant that answered a request with that id is still held. */
export function holdsGrantOf(session: Session, id: RequestId): boolean {
  return holdIndexOf(session).countByRequest.has(keyOf(id));
}

/** Most sessions never ask, so the index is made when they do. */
function holdIndexOf(session: Session): HoldIndex {
  if (session.holdIndex === undefined) {
    session.holdIndex = { byToken: new Map(), countByRequest: new Map() };
    for (const claim of claimsOfSession(session)) if (claim.state === 'held') addToIndex(session.holdIndex, claim);
  }
  return session.holdIndex;
}

export function addToIndex(index: HoldIndex, claim: Claim): void {
  index.byToken.set(keyOf(claim.token), claim);
  countRequest(index, claim.requestId, 1);
}

export function removeFromIndex(index: HoldIndex, claim: Claim): void {
  index.byToken.delete(keyOf(claim.token));
  countRequest(index, claim.requestId, -1);
}

function countRequest({ countByRequest }: HoldIndex, id: RequestId | undefined, change: 1 | -1): void {
  if (id === undefined) return;
  const key = keyOf(id);
  const count = (countByRequest.get(key) ?? 0) + change;
  if (count === 0) countByRequest.delete(key);
  else countByRequest.set(key, count);
}

/** How many of the claims of a session wait. */
export function waitingCountOf({ untagged, tagged }: Session): number {
  let count = untagged?.waitingCount ?? 0;
  for (const { waitingCount } of tagged?.values() ?? []) count += waitingCount;
  return count;
}
