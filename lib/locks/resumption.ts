/** A session whose client has come back on a new connection: it says what it has, and all else ends. */

import type { AllGranted, Granted, RequestId } from '../protocol.ts';
import { ChosenMap } from './chosen-map.ts';
import { claimsOfSession, isWaiting } from './session.ts';
import type { Claim, Resumed, Resumption, Session, WaitingRequest } from './types.ts';

/** Holds by the listed requests that they answer. The client does not know of them. */
type Grants = ChosenMap<RequestId, Claim[]>;

/** The requests that wait and that the client does not want answered any more. */
export function unlistedWaits({ waits }: Session, { requests }: Resumption): readonly WaitingRequest[] {
  return [...(waits?.values() ?? [])].filter(({ request: { id } }) => id === undefined || !requests.has(id));
}

/** The holds that the client did not list. One of several locks goes with the others that were granted with it. */
export function unlistedHolds(session: Session, resumption: Resumption): readonly Claim[] {
  const grants = grantsOf(session, resumption);
  const answers = new Set(
    [...grants]
      .filter(([id, { length }]) => length === (resumption.requests.get(id) ?? 1))
      .flatMap(([, claims]) => claims),
  );
  return [...claimsOfSession(session)].filter(
    (claim) => isHeld(claim) && !resumption.tokens.has(claim.token) && !answers.has(claim),
  );
}

/** What the client has to know once that has ended. */
export function describeResumed(session: Session, resumption: Resumption): Omit<Resumed, 'released'> {
  const holds = [...claimsOfSession(session)].filter(isHeld);
  // A client that has reclaimed holds has chosen their tokens.
  const held = new ChosenMap(holds.map(({ token }) => [token, true] as const));
  const grants = grantsOf(session, resumption);
  const { tokens, requests } = resumption;
  return {
    lost: tokens.ids.filter((token) => !held.has(token)),
    answers: [...grants].map(([id, claims]) => ({
      id,
      result: requests.get(id) === undefined ? granted(claims) : allGranted(claims),
    })),
    unknown: requests.ids.filter((id) => !grants.has(id) && !isWaiting(session, id)),
  };
}

function grantsOf(session: Session, { tokens, requests }: Resumption): Grants {
  const grants: Grants = new ChosenMap();
  for (const claim of claimsOfSession(session)) {
    const { token, requestId } = claim;
    if (!isHeld(claim) || requestId === undefined || tokens.has(token) || !requests.has(requestId)) continue;
    const claims = grants.get(requestId);
    if (claims === undefined) grants.set(requestId, [claim]);
    else claims.push(claim);
  }
  return grants;
}

/** A lock that is not in the map was taken away from its holders, who are still to be told. */
function isHeld({ state, lock }: Claim): boolean {
  return state === 'held' && lock.isInMap;
}

function granted([claim]: readonly Claim[]): Granted {
  const { token, lock } = claim as Claim;
  return { status: 'ok', token, count: lock.holderCount };
}

/** Locks that were granted together have tokens in the order in which they were asked for. */
function allGranted(claims: readonly Claim[]): AllGranted {
  const inOrder = [...claims].sort((a, b) => a.token - b.token);
  const tokens = inOrder.map(({ token }) => token);
  return { status: 'ok', tokens, counts: inOrder.map(({ lock }) => lock.holderCount) };
}
