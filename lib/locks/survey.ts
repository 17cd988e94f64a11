/** What stands out among all locks: how many there are of each mode, who holds longest, and who waits longest. Looked for in steps. */

import type { LockHolder, LockMode, LockWaiter, NamedLockHolder, NamedLockWaiter } from '../protocol.ts';
import type { LockBook } from './lock-book.ts';
import type { Claim, Lock, LockKind, Owner } from './types.ts';
import { viewHolder, viewNamedHolder, viewWaiter } from './views.ts';

/** How many holders and waiters of a lock are told, and how many locks of each of them. */
const MAX_OF_A_LOCK = 8;
const MAX_OF_AN_OWNER = 4;
/** How many claims of an owner are looked at for those. */
const MAX_CLAIMS_SEEN = 200;

/** Names the reader/writer lock or the permit of a name. */
export interface LockKey {
  readonly lockName: string;
  readonly kind: LockKind;
}

/** A lock that somebody waits for, with the first of its holders and waiters, and what else these wait for or keep from others. */
export interface ContendedLock extends LockKey {
  readonly holderCount: number;
  readonly waiterCount: number;
  readonly holders: readonly (LockHolder & { readonly waitsFor: readonly LockKey[] })[];
  /** `holds`: the locks of a waiter that others wait for. */
  readonly waiters: readonly (LockWaiter & { readonly holds: readonly LockKey[] })[];
}

/** Holders and waiters, and the longest times; 0 if there is none. */
export interface GroupSurvey {
  holders: number;
  waiters: number;
  oldestWaitMs: number;
  longestHoldMs: number;
}

/** All locks at about one time. */
export interface Survey {
  readonly holders: Readonly<Record<LockMode, number>>;
  readonly waiters: Readonly<Record<LockMode, number>>;
  /** One of each lock at most, the longest first. */
  readonly longestHolds: readonly NamedLockHolder[];
  readonly longestWaits: readonly (NamedLockWaiter & LockKey)[];
  /** The locks of the longest waits. */
  readonly contended: readonly ContendedLock[];
  readonly groups: ReadonlyMap<string, GroupSurvey>;
}

/** What to look for. */
export interface SurveyOptions {
  /** How many holds, waits and locks to tell. */
  readonly max: number;
  /** The group that a name belongs to, if any. */
  readonly groupOf?: ((name: string) => string | undefined) | undefined;
}

/** One pass over all locks. Others may come and go between its steps. */
export class SurveyPass {
  readonly #locks: Iterator<Lock>;
  readonly #options: SurveyOptions;
  readonly #nowMs: () => number;
  readonly #holders: Record<LockMode, number> = { exclusive: 0, shared: 0, permit: 0 };
  readonly #waiters: Record<LockMode, number> = { exclusive: 0, shared: 0, permit: 0 };
  readonly #longestHolds: Oldest;
  readonly #longestWaits: Oldest;
  readonly #groups = new Map<string, GroupSurvey>();

  constructor(book: LockBook, options: SurveyOptions, nowMs: () => number) {
    this.#locks = allLocks(book);
    this.#options = options;
    this.#nowMs = nowMs;
    this.#longestHolds = new Oldest(options.max);
    this.#longestWaits = new Oldest(options.max);
  }

  /** Looks at up to `count` more locks. Returns true when all were seen. */
  step(count: number): boolean {
    for (let seen = 0; seen < count; seen += 1) {
      const { done, value: lock } = this.#locks.next();
      if (done === true) return true;
      this.#consider(lock);
    }
    return false;
  }

  /** What was found, as it is now. */
  result(): Survey {
    const nowMs = this.#nowMs();
    const holds = this.#longestHolds.claims.filter(({ state }) => state === 'held');
    const waits = this.#longestWaits.claims.filter(({ state }) => state === 'waiting');
    return {
      holders: this.#holders,
      waiters: this.#waiters,
      longestHolds: holds.map((claim) => viewNamedHolder(claim, nowMs)),
      longestWaits: waits.map((claim) => ({ ...keyOf(claim.lock), ...viewWaiter(claim, 1, nowMs) })),
      contended: waits.map(({ lock }) => viewContended(lock, nowMs)),
      groups: this.#groups,
    };
  }

  #consider(lock: Lock): void {
    const { firstHolder, holderCount, queue } = lock;
    const group = this.#groupOf(lock.name);
    if (firstHolder !== undefined) {
      this.#holders[firstHolder.mode] += holderCount;
      this.#longestHolds.add(firstHolder);
    }
    const firstWaiter = queue?.first;
    if (firstWaiter !== undefined) this.#longestWaits.add(firstWaiter);
    for (let claim = firstWaiter; claim !== undefined; claim = claim.next) this.#waiters[claim.mode] += 1;
    if (group === undefined) return;
    const nowMs = this.#nowMs();
    group.holders += holderCount;
    group.waiters += queue?.size ?? 0;
    group.longestHoldMs = Math.max(group.longestHoldMs, nowMs - (firstHolder?.sinceMs ?? nowMs));
    group.oldestWaitMs = Math.max(group.oldestWaitMs, nowMs - (firstWaiter?.sinceMs ?? nowMs));
  }

  #groupOf(name: string): GroupSurvey | undefined {
    const groupName = this.#options.groupOf?.(name);
    if (groupName === undefined) return undefined;
    let group = this.#groups.get(groupName);
    if (group === undefined) {
      group = { holders: 0, waiters: 0, oldestWaitMs: 0, longestHoldMs: 0 };
      this.#groups.set(groupName, group);
    }
    return group;
  }
}

/** The claims that are oldest, in order. */
class Oldest {
  readonly claims: Claim[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(claim: Claim): void {
    const { claims } = this;
    const last = claims.at(-1);
    if (claims.length === this.#max && last !== undefined && last.sinceMs <= claim.sinceMs) return;
    let index = claims.length;
    while (index > 0 && (claims[index - 1] as Claim).sinceMs > claim.sinceMs) index -= 1;
    claims.splice(index, 0, claim);
    if (claims.length > this.#max) claims.pop();
  }
}

function* allLocks({ locks }: LockBook): Generator<Lock, void, undefined> {
  yield* locks.readerWriter;
  yield* locks.permit;
}

function keyOf({ name, kind }: Lock): LockKey {
  return { lockName: name, kind };
}

function viewContended(lock: Lock, nowMs: number): ContendedLock {
  const holders = firstOf(lock.firstHolder);
  const waiters = firstOf(lock.queue?.first);
  return {
    ...keyOf(lock),
    holderCount: lock.holderCount,
    waiterCount: lock.queue?.size ?? 0,
    holders: holders.map((claim) => ({
      ...viewHolder(claim, nowMs),
      waitsFor: keysOf(claim.owner, ({ state }) => state === 'waiting'),
    })),
    waiters: waiters.map((claim, index) => ({
      ...viewWaiter(claim, index + 1, nowMs),
      holds: keysOf(claim.owner, ({ state, lock: { queue } }) => state === 'held' && (queue?.size ?? 0) > 0),
    })),
  };
}

/** The first claims of a queue or of the holders. */
function firstOf(first: Claim | undefined): Claim[] {
  const claims: Claim[] = [];
  for (let claim = first; claim !== undefined && claims.length < MAX_OF_A_LOCK; claim = claim.next) {
    claims.push(claim);
  }
  return claims;
}

function keysOf({ firstClaim }: Owner, isMeant: (claim: Claim) => boolean): LockKey[] {
  const keys: LockKey[] = [];
  let seen = 0;
  for (let claim = firstClaim; claim !== undefined && seen < MAX_CLAIMS_SEEN; claim = claim.ownerNext) {
    seen += 1;
    if (isMeant(claim)) keys.push(keyOf(claim.lock));
    if (keys.length === MAX_OF_AN_OWNER) break;
  }
  return keys;
}
