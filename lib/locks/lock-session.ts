/** Who holds and waits: a session and its owners, with everything that ends when the session does. */

import type { Claim, Wait } from './claim.ts';
import type { RequestId } from './types.ts';
import type { WaitGroup } from './wait-group.ts';
import { type Linked, WaitQueue } from './wait-queue.ts';

/** A request that waits, for one lock or for several. */
export type WaitingRequest<Subject, Context> = Wait<Subject, Context> | WaitGroup<Subject, Context>;

/** One owner of a session: the untagged one, or one with a tag. Lives as long as it holds or waits. */
export class Owner<Subject, Context> implements Linked<Owner<Subject, Context>> {
  readonly session: LockSession<Subject, Context>;
  readonly tag: string;
  /** The most recent of its claims; the others follow by `ownerNext`. */
  firstClaim: Claim<Subject, Context> | undefined = undefined;
  claimCount = 0;
  /** How many of the claims wait. */
  waitingCount = 0;
  /** Those of its waiting requests for several locks that ask for a permit without limit. */
  unlimitedGroups: Set<WaitGroup<Subject, Context>> | undefined = undefined;
  previous: Owner<Subject, Context> | undefined = undefined;
  next: Owner<Subject, Context> | undefined = undefined;

  constructor(session: LockSession<Subject, Context>, tag: string) {
    this.session = session;
    this.tag = tag;
  }

  attach(claim: Claim<Subject, Context>): void {
    const first = this.firstClaim;
    claim.ownerNext = first;
    if (first !== undefined) first.ownerPrevious = claim;
    this.firstClaim = claim;
    this.claimCount += 1;
    this.session.claimCount += 1;
  }

  detach(claim: Claim<Subject, Context>): void {
    if (claim.ownerPrevious === undefined) this.firstClaim = claim.ownerNext;
    else claim.ownerPrevious.ownerNext = claim.ownerNext;
    if (claim.ownerNext !== undefined) claim.ownerNext.ownerPrevious = claim.ownerPrevious;
    claim.ownerPrevious = undefined;
    claim.ownerNext = undefined;
    this.claimCount -= 1;
    this.session.claimCount -= 1;
    if (this.claimCount === 0) this.session.forgetOwner(this);
  }
}

/**
 * One client's liveness. `ended` is final: from then on its claims count as free, and the table works them off.
 * Only the lock table changes a session; for everybody else it is a name for the client.
 */
export class LockSession<Subject, Context> {
  readonly subject: Subject;
  state: 'live' | 'ended' = 'live';
  /** Locks held or waited for, over all owners. */
  claimCount = 0;
  readonly #untagged: Owner<Subject, Context> = new Owner<Subject, Context>(this, '');
  #tagged: Map<string, Owner<Subject, Context>> | undefined;
  /** The tagged owners again, so that the first is found without a walk over the map's deleted entries. */
  readonly #taggedInOrder: WaitQueue<Owner<Subject, Context>> = new WaitQueue<Owner<Subject, Context>>();
  /** Any one of the waiting requests that have an id. */
  #wait: WaitingRequest<Subject, Context> | undefined;
  /**
   * Those beside the one. Most sessions wait for one thing at a time, and a Map whose entries come and go is made anew again
   * and again.
   */
  #otherWaits: Map<RequestId, WaitingRequest<Subject, Context>> | undefined;
  /** Both are built when first asked for, so that sessions that never ask do not pay. */
  #holdsByToken: Map<number, Claim<Subject, Context>> | undefined;
  #holdCountsByRequest: Map<RequestId, number> | undefined;

  constructor(subject: Subject) {
    this.subject = subject;
  }

  findOwner(tag: string): Owner<Subject, Context> | undefined {
    return tag === '' ? this.#untagged : this.#tagged?.get(tag);
  }

  /** The owner with that tag, made when there is none; it is forgotten with its last claim. */
  owner(tag: string): Owner<Subject, Context> {
    const known = this.findOwner(tag);
    if (known !== undefined) return known;
    const owner = new Owner<Subject, Context>(this, tag);
    this.#tagged ??= new Map();
    this.#tagged.set(tag, owner);
    this.#taggedInOrder.push(owner);
    return owner;
  }

  forgetOwner(owner: Owner<Subject, Context>): void {
    if (owner === this.#untagged) return;
    this.#tagged?.delete(owner.tag);
    this.#taggedInOrder.remove(owner);
  }

  /** Some claim of the session, of one owner only if a tag is given. */
  anyClaim(tag: string | undefined): Claim<Subject, Context> | undefined {
    if (tag !== undefined) return this.findOwner(tag)?.firstClaim;
    return this.#untagged.firstClaim ?? this.#taggedInOrder.first?.firstClaim;
  }

  findWait(id: RequestId): WaitingRequest<Subject, Context> | undefined {
    return this.#wait?.id === id ? this.#wait : this.#otherWaits?.get(id);
  }

  addWait(wait: WaitingRequest<Subject, Context>): void {
    if (wait.id === undefined) return;
    if (this.#wait === undefined) {
      this.#wait = wait;
    } else {
      this.#otherWaits ??= new Map();
      this.#otherWaits.set(wait.id, wait);
    }
  }

  removeWait(wait: WaitingRequest<Subject, Context>): void {
    if (wait === this.#wait) this.#wait = undefined;
    else if (wait.id !== undefined) this.#otherWaits?.delete(wait.id);
  }

  addHold(claim: Claim<Subject, Context>): void {
    this.#holdsByToken?.set(claim.token, claim);
    if (this.#holdCountsByRequest !== undefined) countRequest(this.#holdCountsByRequest, claim.requestId, 1);
  }

  removeHold(claim: Claim<Subject, Context>): void {
    this.#holdsByToken?.delete(claim.token);
    if (this.#holdCountsByRequest !== undefined) countRequest(this.#holdCountsByRequest, claim.requestId, -1);
  }

  findHoldByToken(token: number): Claim<Subject, Context> | undefined {
    if (this.#holdsByToken === undefined) {
      this.#holdsByToken = new Map();
      for (const claim of this.#holds()) this.#holdsByToken.set(claim.token, claim);
    }
    return this.#holdsByToken.get(token);
  }

  /** Whether a grant that answered a request with that id is still held. */
  holdsGrantOf(id: RequestId): boolean {
    if (this.#holdCountsByRequest === undefined) {
      this.#holdCountsByRequest = new Map();
      for (const claim of this.#holds()) countRequest(this.#holdCountsByRequest, claim.requestId, 1);
    }
    return this.#holdCountsByRequest.has(id);
  }

  /** All claims of the session, of one owner only if a tag is given. */
  *claims(tag: string | undefined): Generator<Claim<Subject, Context>, void, undefined> {
    const owners = tag === undefined ? [this.#untagged, ...this.#taggedInOrder] : [this.findOwner(tag)];
    for (const owner of owners) {
      for (let claim = owner?.firstClaim; claim !== undefined; claim = claim.ownerNext) yield claim;
    }
  }

  *#holds(): Generator<Claim<Subject, Context>, void, undefined> {
    for (const claim of this.claims(undefined)) if (claim.state === 'held') yield claim;
  }
}

/** Ids may be used again while what they were granted is still held, so they are counted. */
function countRequest(counts: Map<RequestId, number>, id: RequestId | undefined, change: 1 | -1): void {
  if (id === undefined) return;
  const count = (counts.get(id) ?? 0) + change;
  if (count === 0) counts.delete(id);
  else counts.set(id, count);
}
