/** One lock: who holds it, who waits, and whether a claim can be granted now. */

import type { Claim } from './claim.ts';
import type { LockEntry } from './lock-index.ts';
import type { Owner } from './lock-session.ts';
import type { LockMode } from './types.ts';
import { WaitQueue } from './wait-queue.ts';

/** Up to this many claims are searched one by one; more get an index. */
const MAX_UNINDEXED_CLAIMS = 8;

/** Which of the two name spaces a lock is in. */
export type LockKind = 'readerWriter' | 'permit';

export function kindOf(mode: LockMode): LockKind {
  return mode === 'permit' ? 'permit' : 'readerWriter';
}

/** A reader/writer lock or a permit, as long as somebody holds it or waits for it. */
export class Lock<Subject, Context> {
  readonly name: string;
  readonly kind: LockKind;
  /** In order of their grants. */
  readonly holders: WaitQueue<Claim<Subject, Context>> = new WaitQueue<Claim<Subject, Context>>();
  readonly queue: WaitQueue<Claim<Subject, Context>> = new WaitQueue<Claim<Subject, Context>>();
  /** Requests that wait, which may share places. */
  waitingCount = 0;
  /** Of the index of locks. */
  nextInIndex: LockEntry<Subject, Context> | undefined = undefined;
  #index: Map<Owner<Subject, Context>, Claim<Subject, Context>> | undefined;

  constructor(name: string, kind: LockKind) {
    this.name = name;
    this.kind = kind;
  }

  get isUnused(): boolean {
    return this.holders.size === 0 && this.queue.size === 0;
  }

  /**
   * Whether a newcomer can hold the lock at once, without passing anyone who waits; a permit without a limit
   * passes everybody.
   */
  admitsNewcomer(mode: LockMode, limit: number): boolean {
    if (limit === Number.POSITIVE_INFINITY && mode === 'permit') return true;
    return this.queue.size === 0 && this.#hasRoomFor(mode, limit);
  }

  /** Whether a claim that waits here can hold the lock now, were `limit` asked for in its place. */
  admitsWaiter(claim: Claim<Subject, Context>, limit: number): boolean {
    if (limit === Number.POSITIVE_INFINITY && claim.mode === 'permit') return true;
    return this.queue.first === claim && this.#hasRoomFor(claim.mode, limit);
  }

  #hasRoomFor(mode: LockMode, limit: number): boolean {
    if (mode === 'permit') return this.holders.size < limit;
    const holder = this.holders.first;
    return holder === undefined || (mode === 'shared' && holder.mode === 'shared');
  }

  /** The owner's claim, if it has one. Constant time: the shortest of three ways. */
  find(owner: Owner<Subject, Context>): Claim<Subject, Context> | undefined {
    if (owner.claimCount <= MAX_UNINDEXED_CLAIMS) {
      let claim = owner.firstClaim;
      while (claim !== undefined && !claim.isOn(this)) claim = claim.ownerNext;
      return claim;
    }
    if (this.#index === undefined) {
      if (this.holders.size + this.queue.size <= MAX_UNINDEXED_CLAIMS) {
        return findByOwner(this.holders, owner) ?? findByOwner(this.queue, owner);
      }
      this.#index = new Map();
      for (const claim of this.holders) this.#index.set(claim.owner, claim);
      for (const claim of this.queue) this.#index.set(claim.owner, claim);
    }
    return this.#index.get(owner);
  }

  enqueue(claim: Claim<Subject, Context>): void {
    claim.state = 'waiting';
    this.queue.push(claim);
    this.#index?.set(claim.owner, claim);
  }

  addHolder(claim: Claim<Subject, Context>): void {
    if (claim.state === 'waiting') this.queue.remove(claim);
    claim.state = 'held';
    this.holders.push(claim);
    this.#index?.set(claim.owner, claim);
  }

  remove(claim: Claim<Subject, Context>): void {
    if (claim.state === 'held') this.holders.remove(claim);
    else this.queue.remove(claim);
    claim.state = 'gone';
    this.#index?.delete(claim.owner);
  }
}

function findByOwner<Subject, Context>(
  claims: WaitQueue<Claim<Subject, Context>>,
  owner: Owner<Subject, Context>,
): Claim<Subject, Context> | undefined {
  let claim = claims.first;
  while (claim !== undefined && claim.owner !== owner) claim = claim.next;
  return claim;
}
