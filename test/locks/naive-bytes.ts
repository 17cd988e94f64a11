/** How much memory the naive lock table counts: everything that there is, added up. */

import {
  CLAIM_BYTES,
  GROUP_BYTES,
  LEASE_BYTES,
  MEMBER_BYTES,
  OWNER_BYTES,
  WAIT_BYTES,
} from '../../lib/locks/table-bytes.ts';
import type { RequestId } from '../../lib/protocol.ts';
import type { NaiveBook } from './naive-book.ts';
import type { Group, Hold, Place } from './naive-state.ts';

/** Of one session, or of all. */
export function bytesOfState(state: NaiveBook, session?: number): number {
  const isMeant = (claim: Hold | Place) => session === undefined || claim.session === session;
  const groups = state.groups.filter(({ places: [place] }) => isMeant(place as Place));
  return (
    sum([...state.holds, ...state.evicted].filter(isMeant), (hold) => bytesOfHold(hold, state.hasLease(hold))) +
    sum(state.places.filter(isMeant), bytesOfPlace) +
    sum(groups, bytesOfGroup)
  );
}

function bytesOfHold(hold: Hold, hasLease: boolean): number {
  return bytesOfClaim(hold) + bytesOfId(hold.requestId) + (hasLease ? LEASE_BYTES : 0);
}

function bytesOfPlace(place: Place): number {
  const { name, requests } = place;
  return (
    bytesOfClaim(place) +
    sum(requests, ({ tag, id }) => WAIT_BYTES + bytesOfText(name) + bytesOfText(tag) + bytesOfId(id))
  );
}

function bytesOfGroup({ request: { locks, tag, id } }: Group): number {
  return GROUP_BYTES + bytesOfText(tag) + bytesOfId(id) + sum(locks, ({ name }) => MEMBER_BYTES + bytesOfText(name));
}

function bytesOfClaim({ name, tag }: Hold | Place): number {
  return CLAIM_BYTES + bytesOfText(name) + (tag === '' ? 0 : OWNER_BYTES + bytesOfText(tag));
}

/** A long text takes one byte for each character if it can. */
function bytesOfText(text: string): number {
  const isNarrow = text.length > 64 && [...text].every((character) => character <= '\u00ff');
  return text.length * (isNarrow ? 1 : 2);
}

function bytesOfId(id: RequestId | undefined): number {
  return typeof id === 'string' ? bytesOfText(id) : 0;
}

function sum<Item>(items: readonly Item[], bytesOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + bytesOf(item), 0);
}
