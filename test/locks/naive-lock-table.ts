/**
 * The lock rules in their plainest form, with arrays that are searched from end to end, to compare the lock table with.
 * Sessions and the contexts of requests are numbers.
 */

import type {
  AcquireAllResult,
  AcquireResult,
  ReleaseRequest,
  TableCounts,
  TableLimits,
} from '../../lib/locks/types.ts';
import type {
  CancelResult,
  Invalid,
  LimitReached,
  LockInformation,
  LockMode,
  ReleaseResult,
  RequestId,
} from '../../lib/protocol.ts';
import { CANCELLED, DEADLOCK, NaiveBook } from './naive-book.ts';
import { bytesOfState } from './naive-bytes.ts';
import type { NaiveOwner } from './naive-deadlock.ts';
import {
  type AllRequest,
  type Group,
  type Hold,
  hasRoomFor,
  isHead,
  isNamed,
  isSameLock,
  isSameOwner,
  keyOf,
  type LockKey,
  limitAsked,
  modeOf,
  type Place,
  type Request,
} from './naive-state.ts';
import type { NaiveDeparture, NaiveEvent, NaiveEviction, NaiveOutcome } from './naive-types.ts';
import { inspectState, listState } from './naive-views.ts';

export class NaiveLockTable extends NaiveBook {
  /** How many are told in this step that a lock was taken from them. */
  toldCount = 0;
  lastEviction: NaiveEviction = { holds: [], reason: 'stolen' };
  #sessions: number[] = [];
  #isDraining = false;
  readonly #limits: TableLimits;

  constructor(limits: TableLimits) {
    super();
    this.#limits = limits;
  }

  openSession(session: number): void {
    this.#sessions.push(session);
  }

  acquire(session: number, request: Request, nowMs: number): NaiveOutcome<AcquireResult> {
    return this.#outcome(this.#acquire(session, request, nowMs));
  }

  acquireAll(session: number, request: AllRequest, nowMs: number): NaiveOutcome<AcquireAllResult> {
    return this.#outcome(this.#acquireAll(session, request, nowMs));
  }

  release(session: number, request: ReleaseRequest, nowMs: number): NaiveOutcome<ReleaseResult> {
    const hold = this.holds.find((hold) => hold.session === session && isNamed(request, hold, hold.mode, hold.token));
    const place = this.places.find(
      (place) => place.session === session && isNamed(request, place, modeOf(place), undefined),
    );
    const claim = hold ?? place;
    if (claim === undefined) return this.#outcome({ status: 'notHeld' });
    if (hold !== undefined) this.removeHold(hold);
    else this.endPlace(claim as Place, CANCELLED);
    const count = this.holdersOf(claim).length;
    this.letIn(nowMs);
    return this.#outcome(hold !== undefined ? { status: 'ok', count } : { status: 'ok', count, withdrawn: true });
  }

  forceRelease(name: string, isPermit: boolean, nowMs: number): NaiveOutcome<number> {
    const holds = this.#evict({ name, isPermit }, 'forced');
    this.letIn(nowMs);
    return this.#outcome(holds.length);
  }

  /** Tells holders that a lock was taken from them, as many as are told in this step. */
  tell({ holds, reason }: NaiveEviction, nowMs: number): readonly NaiveEvent[] {
    const untold = holds.filter((hold) => this.evicted.includes(hold));
    this.loseHolds(untold.slice(0, this.toldCount), reason);
    this.letIn(nowMs);
    return this.takeEvents();
  }

  /** Takes a lock from its holders, who are told now or later. */
  #evict(key: LockKey, reason: NaiveEviction['reason']): readonly Hold[] {
    const holds = this.holdersOf(key);
    this.holds = this.holds.filter((hold) => !holds.includes(hold));
    this.evicted.push(...holds);
    this.loseHolds(holds.slice(0, this.toldCount), reason);
    this.lastEviction = { holds, reason };
    return holds;
  }

  cancel(session: number, id: RequestId, nowMs: number): NaiveOutcome<CancelResult> {
    const places = this.places.filter((place) => place.session === session);
    const waiting = places.flatMap((place) => place.requests).find((request) => request.id === id);
    const group = this.groups.find((group) => group.request.id === id && isOf(group, session));
    if (waiting !== undefined) this.endRequest(waiting, CANCELLED, nowMs);
    if (group !== undefined) this.endGroup(group, CANCELLED);
    this.letIn(nowMs);
    if (waiting !== undefined || group !== undefined) return this.#outcome({ status: 'ok', outcome: 'cancelled' });
    const isGranted = [...this.holds, ...this.evicted].some(
      (hold) => hold.session === session && hold.requestId === id,
    );
    return this.#outcome({ status: 'ok', outcome: isGranted ? 'granted' : 'unknown' });
  }

  expire(max: number, nowMs: number): readonly NaiveEvent[] {
    for (let ended = 0; ended < max; ended += 1) {
      const due = this.findDue(nowMs);
      if (due === undefined) break;
      if ('token' in due) this.loseHold(due, 'lease');
      else if ('places' in due) this.endGroup(due, this.timeoutOf(due.places, nowMs));
      else this.endRequest(due, this.timeoutOf([this.placeOf(due)], nowMs), nowMs);
      this.letIn(nowMs);
    }
    return this.takeEvents();
  }

  endSession(session: number): void {
    this.#sessions = this.#sessions.filter((other) => other !== session);
    this.ended.push(session);
  }

  /** Cancels these waits of a session or of one of its owners; when it has no others, releases so many of its holds. */
  depart(
    departure: NaiveDeparture,
    cancelled: readonly number[],
    releasedCount: number,
    nowMs: number,
  ): readonly NaiveEvent[] {
    const isMeant = (claim: Hold | Place) => isPartOf(claim, departure);
    const isCancelled = (place: Place) =>
      [this.groupOf(place)?.request ?? place.requests].flat().some(({ context }) => cancelled.includes(context));
    const leaving = this.places.filter((place) => isMeant(place) && isCancelled(place));
    for (const place of leaving) this.endPlace(place, CANCELLED);
    if (leaving.length > 0 || releasedCount === 0) this.letIn(nowMs);
    if (releasedCount > 0 && this.places.some(isMeant))
      throw new Error('a hold was released before a wait was cancelled');
    for (const hold of this.holds.filter(isMeant).slice(0, releasedCount)) {
      if (departure.isEnd) this.loseHold(hold, 'sessionEnded');
      else this.removeHold(hold);
      this.letIn(nowMs);
    }
    return this.takeEvents();
  }

  /** Whether a departure has left anything. */
  hasLeft(departure: NaiveDeparture): boolean {
    return [...this.holds, ...this.places].some((claim) => isPartOf(claim, departure));
  }

  /** Refuses whatever waits, is to be refused in this step, and is in a deadlock; then lets in whoever can be. */
  catchUp(nowMs: number): readonly NaiveEvent[] {
    for (const place of [...this.places]) {
      const requests = this.groupOf(place)?.request ?? place.requests;
      if (this.places.includes(place) && this.isRefused(place, [requests].flat())) this.endPlace(place, DEADLOCK);
    }
    this.letIn(nowMs);
    return this.takeEvents();
  }

  drain(): readonly NaiveEvent[] {
    this.#isDraining = true;
    for (const place of [...this.places]) this.endPlace(place, { status: 'draining' });
    return this.takeEvents();
  }

  get counts(): TableCounts {
    return {
      locks: namesOf(this.holds.filter((hold) => !hold.isPermit)).length,
      permits: namesOf(this.holds.filter((hold) => hold.isPermit)).length,
      holders: this.holds.length,
      waiting: this.places.flatMap((place) => place.requests).length + this.groups.length,
      sessions: this.#sessions.length,
      tableBytes: bytesOfState(this),
    };
  }

  inspect(name: string, max: number, nowMs: number): LockInformation {
    return inspectState(this, name, max, nowMs);
  }

  names(): readonly string[] {
    return listState(this);
  }

  #acquire(session: number, request: Request, nowMs: number): AcquireResult {
    const key = keyOf(request);
    const owner = { session, tag: request.tag };
    const isOwners = (claim: Hold | Place) => isSameOwner(claim, owner) && isSameLock(claim, key);
    const hold = this.holds.find(isOwners);
    const place = this.places.find(isOwners);
    if (request.steal !== undefined && request.mode !== 'exclusive') return INVALID;
    const modeBefore = hold?.mode ?? (place === undefined ? undefined : modeOf(place));
    if (place?.wanted !== undefined || (modeBefore === 'shared' && request.mode === 'exclusive')) return INVALID;
    if (hold !== undefined) return this.answerHolder(hold, request, nowMs);
    if (place === undefined && this.#isDraining) return { status: 'draining' };
    if (request.steal !== undefined) return this.#steal(owner, place, key, request, nowMs);
    if (place === undefined) return this.#acquireAnew(owner, key, request, nowMs);
    return this.#joinPlace(owner, place, request, nowMs);
  }

  #joinPlace(owner: NaiveOwner, place: Place, request: Request, nowMs: number): AcquireResult {
    const hasRoom = hasRoomFor(this, place, modeOf(place), limitAsked(request));
    if (isUnlimited(request) || (isHead(this, place) && hasRoom)) {
      if (this.isRefusedWith(owner, [request], [holdOf(owner, request)])) return DEADLOCK;
      this.grantUnit([place], nowMs);
      const granted = this.holdersOf(place).find((hold) => isSameOwner(hold, owner)) as Hold;
      this.letIn(nowMs);
      return this.answerHolder(granted, request, nowMs);
    }
    if (request.waitMs === 0) return { status: 'unavailable' };
    if (this.#isIdWaiting(owner.session, request.id)) return INVALID;
    if (this.#hasFullQueue(place)) return this.#limit('maxWaitersPerLock');
    const refusal = this.#bytesReached(owner.session);
    if (refusal !== undefined) return refusal;
    this.wait(place, request, nowMs);
    return { status: 'queued' };
  }

  #acquireAnew(owner: NaiveOwner, key: LockKey, request: Request, nowMs: number): AcquireResult {
    const isAdmitted = this.#admits(request);
    if (!isAdmitted && request.waitMs === 0) return { status: 'unavailable' };
    const refusal = this.#limitReached(owner.session, [key], isAdmitted);
    if (refusal !== undefined) return refusal;
    if (isAdmitted) {
      if (this.isRefusedWith(owner, [request], [holdOf(owner, request)])) return DEADLOCK;
      return this.grantAnew(owner, key, request, nowMs);
    }
    if (this.#isIdWaiting(owner.session, request.id)) return INVALID;
    const place: Place = { ...key, ...owner, sinceMs: nowMs, requests: [request], wanted: undefined };
    this.places.push(place);
    if (this.isRefused(owner, [request])) {
      this.places.pop();
      return DEADLOCK;
    }
    place.requests.pop();
    this.wait(place, request, nowMs);
    return { status: 'queued' };
  }

  #steal(owner: NaiveOwner, place: Place | undefined, key: LockKey, request: Request, nowMs: number): AcquireResult {
    if (this.places.some((other) => other !== place && isSameOwner(other, owner))) return INVALID;
    const holds = this.holdersOf(key);
    if (request.steal === 'stealable' && !holds.every((hold) => hold.isStealable)) return { status: 'denied' };
    const refusal = place === undefined ? this.#limitReached(owner.session, [key], true) : undefined;
    if (refusal !== undefined) return refusal;
    this.#evict(key, 'stolen');
    let result: AcquireResult;
    if (place === undefined) {
      result = this.grantAnew(owner, key, request, nowMs);
    } else {
      this.grantUnit([place], nowMs);
      result = this.answerHolder(this.holdersOf(key)[0] as Hold, request, nowMs);
    }
    this.letIn(nowMs);
    return result;
  }

  #acquireAll(session: number, request: AllRequest, nowMs: number): AcquireAllResult {
    const owner = { session, tag: request.tag };
    const mistake = this.#findMistake(owner, request);
    if (mistake !== undefined) return mistake;
    const held = this.holds.filter((hold) => isSameOwner(hold, owner));
    const missing = request.locks.filter((lock) => !held.some((hold) => isSameLock(hold, keyOf(lock))));
    if (missing.length === 0) return this.grantAll(owner, request, nowMs);
    if (this.#isDraining) return { status: 'draining' };
    const isAdmitted = missing.every((lock) => this.#admits(lock));
    if (!isAdmitted && request.waitMs === 0) return { status: 'unavailable' };
    const refusal = this.#limitReached(session, missing.map(keyOf), isAdmitted);
    if (refusal !== undefined) return refusal;
    if (isAdmitted) {
      const granted = missing.map((lock) => holdOf(owner, lock));
      return this.isRefusedWith(owner, [request], granted) ? DEADLOCK : this.grantAll(owner, request, nowMs);
    }
    if (this.#isIdWaiting(session, request.id)) return INVALID;
    const places = missing.map(
      (wanted): Place => ({ ...keyOf(wanted), ...owner, sinceMs: nowMs, requests: [], wanted }),
    );
    const isCountedOn = (hold: Hold) => request.locks.some((lock) => isSameLock(hold, keyOf(lock)));
    const group: Group = { request, places, held: held.filter(isCountedOn) };
    this.waitForAll(group, nowMs + request.waitMs);
    if (!this.isRefused(owner, [request])) return { status: 'queued' };
    this.removeGroup(group);
    return DEADLOCK;
  }

  #findMistake(owner: NaiveOwner, { locks }: AllRequest): Invalid | LimitReached | undefined {
    const keys = locks.map(keyOf);
    const isTwice = keys.some((key, index) => keys.slice(0, index).some((other) => isSameLock(key, other)));
    const isAwaited = (key: LockKey) =>
      this.places.some((place) => isSameOwner(place, owner) && isSameLock(place, key));
    const isHeldShared = (key: LockKey) =>
      this.holdersOf(key).some((hold) => isSameOwner(hold, owner) && hold.mode === 'shared');
    if (locks.length === 0) return INVALID;
    if (locks.length > this.#limits.maxLocksPerRequest) return this.#limit('maxLocksPerRequest');
    if (isTwice || keys.some(isAwaited)) return INVALID;
    return locks.some((lock) => lock.mode === 'exclusive' && isHeldShared(keyOf(lock))) ? INVALID : undefined;
  }

  #admits(wanted: { name: string; mode: LockMode; limit?: number | undefined }): boolean {
    const key = keyOf(wanted);
    if (isUnlimited(wanted)) return true;
    const isFirst = !this.places.some((place) => isSameLock(place, key));
    return isFirst && hasRoomFor(this, key, wanted.mode, limitAsked(wanted));
  }

  #limitReached(session: number, keys: readonly LockKey[], isAdmitted: boolean): LimitReached | undefined {
    const claims = [...this.holds, ...this.places];
    const { maxLocks, maxLocksPerSession } = this.#limits;
    if (
      [...claims, ...this.evicted].filter((claim) => claim.session === session).length + keys.length >
      maxLocksPerSession
    ) {
      return this.#limit('maxLocksPerSession');
    }
    const isKnown = (key: LockKey) => claims.some((claim) => isSameLock(claim, key));
    const readerWriterLocks = namesOf(claims.filter((claim) => !claim.isPermit)).length;
    const permits = namesOf(claims.filter((claim) => claim.isPermit)).length;
    const added = keys.filter((key) => !isKnown(key)).length;
    if (added > 0 && readerWriterLocks + permits + added > maxLocks) return this.#limit('maxLocks');
    if (!isAdmitted && keys.some((key) => this.#hasFullQueue(key))) return this.#limit('maxWaitersPerLock');
    return this.#bytesReached(session);
  }

  #bytesReached(session: number): LimitReached | undefined {
    const { maxTableBytes, maxBytesPerSession } = this.#limits;
    if (bytesOfState(this, session) >= maxBytesPerSession) return this.#limit('maxBytesPerSession');
    return bytesOfState(this) >= maxTableBytes ? this.#limit('maxTableBytes') : undefined;
  }

  #hasFullQueue(key: LockKey): boolean {
    const places = this.places.filter((place) => isSameLock(place, key));
    const waiting = places.reduce((sum, place) => sum + (place.wanted === undefined ? place.requests.length : 1), 0);
    return waiting >= this.#limits.maxWaitersPerLock;
  }

  #isIdWaiting(session: number, id: RequestId | undefined): boolean {
    const waiting = this.places.filter((place) => place.session === session).flatMap((place) => place.requests);
    const groups = this.groups.filter((group) => isOf(group, session)).map((group) => group.request);
    return id !== undefined && [...waiting, ...groups].some((request) => request.id === id);
  }

  #limit(limit: keyof TableLimits): LimitReached {
    return { status: 'limit', limit, value: this.#limits[limit] };
  }

  #outcome<Result>(result: Result): NaiveOutcome<Result> {
    return { result, events: this.takeEvents() };
  }
}

const INVALID = { status: 'invalid', message: '' } as const;

function isOf(group: Group, session: number): boolean {
  return group.places[0]?.session === session;
}

function isPartOf(claim: Hold | Place, { session, tag }: NaiveDeparture): boolean {
  return claim.session === session && (tag === undefined || claim.tag === tag);
}

function namesOf(claims: readonly LockKey[]): string[] {
  return [...new Set(claims.map((claim) => claim.name))];
}

function isUnlimited({ mode, limit }: { mode: LockMode; limit?: number | undefined }): boolean {
  return mode === 'permit' && limit === undefined;
}

/** A hold that is not granted yet. */
function holdOf(owner: NaiveOwner, wanted: { name: string; mode: LockMode }): Hold {
  const { session, tag } = owner;
  const rest = { token: 0, sinceMs: 0, requestId: undefined, isStealable: false };
  return { ...keyOf(wanted), session, tag, mode: wanted.mode, ...rest };
}
