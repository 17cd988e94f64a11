/**
 * The lock rules once more, as plainly as they can be put: three arrays, searched from end to end. It costs what it
 * costs; the lock table is compared with it. Sessions and the contexts of requests are numbers.
 */

import type {
  AcquireRequest,
  AcquireResult,
  CancelResult,
  Granted,
  LockMode,
  LossReason,
  ReleaseAllResult,
  ReleaseRequest,
  ReleaseResult,
  RequestId,
  TableCounts,
  TableLimits,
  WaitResult,
} from '../../lib/locks/types.ts';
import type { NaiveEvent, NaiveOutcome, NaivePage, NaiveView } from './naive-types.ts';

export type Request = AcquireRequest<number>;

/** Which lock: the reader/writer lock or the permit of a name. */
interface LockKey {
  readonly name: string;
  readonly isPermit: boolean;
}

interface Hold extends LockKey {
  readonly session: number;
  readonly tag: string;
  readonly mode: LockMode;
  readonly token: number;
  readonly sinceMs: number;
  readonly requestId: RequestId | undefined;
}

/** Where one owner waits for one lock, with all its requests in order of arrival. */
interface Place extends LockKey {
  readonly session: number;
  readonly tag: string;
  readonly sinceMs: number;
  readonly requests: Request[];
}

export class NaiveLockTable {
  /** In order of their grants. */
  holds: Hold[] = [];
  /** In order of arrival. */
  places: Place[] = [];
  /** In the order in which they were set. */
  #deadlines: { readonly atMs: number; readonly of: Hold | Request }[] = [];
  #events: NaiveEvent[] = [];
  /** Where a step lets in at several locks, it may begin with any; those that are named here come first, in order. */
  lockOrder: readonly string[] = [];
  #sessions: number[] = [];
  #isDraining = false;
  #lastToken = 0;
  readonly #limits: TableLimits;
  readonly #compareNames: (a: string, b: string) => number;

  constructor(limits: TableLimits, compareNames: (a: string, b: string) => number) {
    this.#limits = limits;
    this.#compareNames = compareNames;
  }

  openSession(session: number): void {
    this.#sessions.push(session);
  }

  acquire(session: number, request: Request, nowMs: number): NaiveOutcome<AcquireResult> {
    return this.#outcome(this.#acquire(session, request, nowMs));
  }

  release(session: number, request: ReleaseRequest, nowMs: number): NaiveOutcome<ReleaseResult> {
    const hold = this.holds.find((hold) => hold.session === session && isNamed(request, hold, hold.mode, hold.token));
    if (hold !== undefined) {
      this.#removeHold(hold);
      const count = this.#holdersOf(hold).length;
      this.#letIn(hold, nowMs);
      return this.#outcome({ status: 'ok', count });
    }
    const place = this.places.find(
      (place) => place.session === session && isNamed(request, place, modeOf(place), undefined),
    );
    if (place === undefined) return this.#outcome({ status: 'notHeld' });
    this.#endPlace(place, { status: 'cancelled' });
    const count = this.#holdersOf(place).length;
    this.#letIn(place, nowMs);
    return this.#outcome({ status: 'ok', count, withdrawn: true });
  }

  releaseAll(session: number, tag: string | undefined, nowMs: number): NaiveOutcome<ReleaseAllResult> {
    const isMeant = (claim: Hold | Place) => claim.session === session && (tag === undefined || claim.tag === tag);
    const holds = this.holds.filter(isMeant);
    const places = this.places.filter(isMeant);
    for (const hold of holds) this.#removeHold(hold);
    for (const place of places) this.#endPlace(place, { status: 'cancelled' });
    this.#letInAll([...holds, ...places], nowMs);
    return this.#outcome({ status: 'ok', released: holds.length });
  }

  cancel(session: number, id: RequestId, nowMs: number): NaiveOutcome<CancelResult> {
    const waiting = this.places
      .filter((place) => place.session === session)
      .flatMap((place) => place.requests)
      .find((request) => request.id === id);
    if (waiting !== undefined) {
      this.#endRequest(waiting, { status: 'cancelled' }, nowMs);
      return this.#outcome({ status: 'ok', outcome: 'cancelled' });
    }
    const isGranted = this.holds.some((hold) => hold.session === session && hold.requestId === id);
    return this.#outcome({ status: 'ok', outcome: isGranted ? 'granted' : 'unknown' });
  }

  get nextDeadlineMs(): number {
    return Math.min(...this.#deadlines.map((deadline) => deadline.atMs));
  }

  expire(max: number, nowMs: number): readonly NaiveEvent[] {
    for (let ended = 0; ended < max; ended += 1) {
      const earliestMs = this.nextDeadlineMs;
      const due = this.#deadlines.find((deadline) => deadline.atMs === earliestMs);
      if (due === undefined || earliestMs > nowMs) break;
      if ('token' in due.of) {
        this.#loseHold(due.of, 'lease');
        this.#letIn(due.of, nowMs);
      } else {
        this.#endRequest(due.of, { status: 'timeout', holders: [] }, nowMs);
      }
    }
    return this.#takeEvents();
  }

  endSession(session: number, nowMs: number): readonly NaiveEvent[] {
    this.#sessions = this.#sessions.filter((other) => other !== session);
    const holds = this.holds.filter((hold) => hold.session === session);
    const places = this.places.filter((place) => place.session === session);
    for (const hold of holds) this.#loseHold(hold, 'sessionEnded');
    for (const place of places) this.#endPlace(place, { status: 'cancelled' });
    this.#letInAll([...holds, ...places], nowMs);
    return this.#takeEvents();
  }

  drain(): readonly NaiveEvent[] {
    this.#isDraining = true;
    for (const place of this.places) this.#endPlace(place, { status: 'draining' });
    return this.#takeEvents();
  }

  get counts(): TableCounts {
    return {
      locks: namesOf(this.holds.filter((hold) => !hold.isPermit)).length,
      permits: namesOf(this.holds.filter((hold) => hold.isPermit)).length,
      holders: this.holds.length,
      waiting: this.places.flatMap((place) => place.requests).length,
      sessions: this.#sessions.length,
    };
  }

  inspect(name: string, max: number): NaiveView {
    const readerWriterFirst = (a: LockKey, b: LockKey) => Number(a.isPermit) - Number(b.isPermit);
    const holds = this.holds.filter((hold) => hold.name === name).sort(readerWriterFirst);
    const places = this.places.filter((place) => place.name === name).sort(readerWriterFirst);
    return {
      name,
      holderCount: holds.length,
      waiterCount: places.length,
      holders: holds.slice(0, max).map(viewHolder),
      waiters: places.slice(0, max).map((place) => {
        const { session, tag, isPermit, sinceMs } = place;
        const limit = isPermit ? limitOf(place) : undefined;
        const position = this.places.filter((other) => isSameLock(other, place)).indexOf(place) + 1;
        return { session, tag, mode: modeOf(place), limit, sinceMs, position, isPartOfAll: false };
      }),
    };
  }

  list(prefix: string, after: string | undefined, max: number): NaivePage {
    const names = namesOf([...this.holds, ...this.places])
      .sort(this.#compareNames)
      .filter((name) => name.startsWith(prefix) && (after === undefined || this.#compareNames(name, after) > 0));
    return { names: names.slice(0, max), hasMore: names.length > max };
  }

  #acquire(session: number, request: Request, nowMs: number): AcquireResult {
    const key: LockKey = { name: request.name, isPermit: request.mode === 'permit' };
    const isOwners = (claim: Hold | Place) =>
      claim.session === session && claim.tag === request.tag && isSameLock(claim, key);
    const hold = this.holds.find(isOwners);
    if (hold !== undefined) {
      if (hold.mode === 'shared' && request.mode === 'exclusive') return UPGRADE;
      return this.#answerHolder(hold, request, nowMs);
    }
    const place = this.places.find(isOwners);
    if (place === undefined) return this.#acquireAnew(session, key, request, nowMs);
    if (modeOf(place) === 'shared' && request.mode === 'exclusive') return UPGRADE;
    const isHead = this.places.find((other) => isSameLock(other, key)) === place;
    if (isUnlimited(request) || (isHead && this.#hasRoomFor(key, modeOf(place), limitAsked(request)))) {
      const granted = this.#grantPlace(place, nowMs);
      this.#letIn(place, nowMs);
      return this.#answerHolder(granted, request, nowMs);
    }
    if (request.waitMs === 0) return { status: 'unavailable' };
    if (this.#isIdWaiting(session, request.id)) return ID_IN_FLIGHT;
    if (this.#hasFullQueue(key)) return this.#limit('maxWaitersPerLock');
    this.#wait(place, request, nowMs);
    return { status: 'queued' };
  }

  #acquireAnew(session: number, key: LockKey, request: Request, nowMs: number): AcquireResult {
    if (this.#isDraining) return { status: 'draining' };
    const isFirst = !this.places.some((place) => isSameLock(place, key));
    const isAdmitted = isUnlimited(request) || (isFirst && this.#hasRoomFor(key, request.mode, limitAsked(request)));
    if (!isAdmitted && request.waitMs === 0) return { status: 'unavailable' };
    const claims = [...this.holds, ...this.places];
    const { maxLocks, maxLocksPerSession } = this.#limits;
    if (claims.filter((claim) => claim.session === session).length >= maxLocksPerSession) {
      return this.#limit('maxLocksPerSession');
    }
    if (!claims.some((claim) => isSameLock(claim, key))) {
      const readerWriterLocks = namesOf(claims.filter((claim) => !claim.isPermit)).length;
      const permits = namesOf(claims.filter((claim) => claim.isPermit)).length;
      if (readerWriterLocks + permits >= maxLocks) return this.#limit('maxLocks');
    }
    if (isAdmitted) {
      const hold = this.#grant(session, key, request, nowMs);
      if (request.leaseMs !== undefined) this.#startLease(hold, request.leaseMs, nowMs);
      return { status: 'ok', token: hold.token, count: this.#holdersOf(key).length };
    }
    if (this.#hasFullQueue(key)) return this.#limit('maxWaitersPerLock');
    if (this.#isIdWaiting(session, request.id)) return ID_IN_FLIGHT;
    const place: Place = { ...key, session, tag: request.tag, sinceMs: nowMs, requests: [] };
    this.places.push(place);
    this.#wait(place, request, nowMs);
    return { status: 'queued' };
  }

  #answerHolder(hold: Hold, request: Request, nowMs: number): Granted {
    if (request.leaseMs !== undefined) this.#startLease(hold, request.leaseMs, nowMs);
    return { status: 'ok', token: hold.token, count: this.#holdersOf(hold).length, alreadyHeld: true };
  }

  #hasRoomFor(key: LockKey, mode: LockMode, limit: number): boolean {
    const holders = this.#holdersOf(key);
    if (mode === 'permit') return holders.length < limit;
    if (mode === 'shared') return holders.every((hold) => hold.mode === 'shared');
    return holders.length === 0;
  }

  #wait(place: Place, request: Request, nowMs: number): void {
    place.requests.push(request);
    this.#deadlines.push({ atMs: nowMs + request.waitMs, of: request });
  }

  #letInAll(keys: readonly LockKey[], nowMs: number): void {
    for (const lock of this.lockOrder) {
      for (const key of keys) if (nameOf(key) === lock) this.#letIn(key, nowMs);
    }
    for (const key of keys) this.#letIn(key, nowMs);
  }

  /** Grants from the head of the queue on, for as long as the head fits. */
  #letIn(key: LockKey, nowMs: number): void {
    for (;;) {
      const head = this.places.find((place) => isSameLock(place, key));
      if (head === undefined || !this.#hasRoomFor(key, modeOf(head), limitOf(head))) return;
      this.#grantPlace(head, nowMs);
    }
  }

  #grantPlace(place: Place, nowMs: number): Hold {
    const first = place.requests[0] as Request;
    const hold = this.#grant(place.session, place, { ...first, mode: modeOf(place) }, nowMs);
    const granted: Granted = { status: 'ok', token: hold.token, count: this.#holdersOf(place).length };
    for (const request of [...place.requests]) {
      this.#answer(place, request, request === first ? granted : { ...granted, alreadyHeld: true });
      if (request.leaseMs !== undefined) this.#startLease(hold, request.leaseMs, nowMs);
    }
    return hold;
  }

  #grant(session: number, key: LockKey, request: Request, nowMs: number): Hold {
    this.#lastToken += 1;
    const { tag, mode, id: requestId } = request;
    const { name, isPermit } = key;
    const hold: Hold = { session, name, isPermit, tag, mode, token: this.#lastToken, sinceMs: nowMs, requestId };
    this.holds.push(hold);
    return hold;
  }

  #startLease(hold: Hold, leaseMs: number, nowMs: number): void {
    this.#forgetDeadline(hold);
    this.#deadlines.push({ atMs: nowMs + leaseMs, of: hold });
  }

  #forgetDeadline(of: Hold | Request): void {
    this.#deadlines = this.#deadlines.filter((deadline) => deadline.of !== of);
  }

  #removeHold(hold: Hold): void {
    this.holds = this.holds.filter((other) => other !== hold);
    this.#forgetDeadline(hold);
  }

  #loseHold(hold: Hold, reason: LossReason): void {
    this.#removeHold(hold);
    const { session, name, mode, tag, token } = hold;
    this.#events.push({ kind: 'lost', session, name, mode, tag, token, reason });
  }

  #endRequest(request: Request, result: WaitResult, nowMs: number): void {
    const place = this.places.find((place) => place.requests.includes(request)) as Place;
    this.#answer(place, request, result);
    this.#letIn(place, nowMs);
  }

  #endPlace(place: Place, result: WaitResult): void {
    for (const request of [...place.requests]) this.#answer(place, request, result);
  }

  /** The request waits no longer; the place goes with the last of them. */
  #answer(place: Place, request: Request, result: WaitResult): void {
    place.requests.splice(place.requests.indexOf(request), 1);
    if (place.requests.length === 0) this.places = this.places.filter((other) => other !== place);
    this.#forgetDeadline(request);
    this.#events.push({ kind: 'answered', session: place.session, context: request.context, result });
  }

  #holdersOf(key: LockKey): Hold[] {
    return this.holds.filter((hold) => isSameLock(hold, key));
  }

  #hasFullQueue(key: LockKey): boolean {
    const waiting = this.places.filter((place) => isSameLock(place, key)).flatMap((place) => place.requests);
    return waiting.length >= this.#limits.maxWaitersPerLock;
  }

  #isIdWaiting(session: number, id: RequestId | undefined): boolean {
    const waiting = this.places.filter((place) => place.session === session).flatMap((place) => place.requests);
    return id !== undefined && waiting.some((request) => request.id === id);
  }

  #limit(limit: keyof TableLimits): AcquireResult {
    return { status: 'limit', limit, value: this.#limits[limit] };
  }

  #takeEvents(): readonly NaiveEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #outcome<Result>(result: Result): NaiveOutcome<Result> {
    return { result, events: this.#takeEvents() };
  }
}

function viewHolder({ session, tag, mode, token, sinceMs }: Hold): NaiveView['holders'][number] {
  return { session, tag, mode, token, sinceMs, isStealable: false };
}

const UPGRADE: AcquireResult = { status: 'invalid', message: 'shared cannot become exclusive' };
const ID_IN_FLIGHT: AcquireResult = { status: 'invalid', message: 'the id is in flight' };

function isSameLock(a: LockKey, b: LockKey): boolean {
  return a.name === b.name && a.isPermit === b.isPermit;
}

/** One name for each lock, across both name spaces. */
export function nameOf(key: LockKey): string {
  return key.isPermit ? `permit ${key.name}` : key.name;
}

function namesOf(claims: readonly LockKey[]): string[] {
  return [...new Set(claims.map((claim) => claim.name))];
}

function limitAsked(request: Request): number {
  return request.limit ?? Number.POSITIVE_INFINITY;
}

function isUnlimited(request: Request): boolean {
  return request.mode === 'permit' && request.limit === undefined;
}

function limitOf(place: Place): number {
  return Math.max(...place.requests.map(limitAsked));
}

function modeOf(place: Place): LockMode {
  const modes = place.requests.map((request) => request.mode);
  return modes.includes('exclusive') ? 'exclusive' : (modes[0] as LockMode);
}

/** A token names a hold by itself; without one it takes the name, and the tag and the kind of lock have defaults. */
function isNamed(request: ReleaseRequest, claim: Hold | Place, mode: LockMode, token: number | undefined): boolean {
  const hasToken = request.token !== undefined;
  if (hasToken && request.token !== token) return false;
  if (!hasToken && request.name === undefined) return false;
  if (!hasToken && request.mode === undefined && claim.isPermit) return false;
  const { name = claim.name, mode: modeAsked = mode, tag = hasToken ? claim.tag : '' } = request;
  return name === claim.name && modeAsked === mode && tag === claim.tag;
}
