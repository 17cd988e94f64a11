/** The state of the naive lock table: holds, places, groups and deadlines as arrays, and the events of a step. */

import type { LockRequest, WaitResult } from '../../lib/locks/types.ts';
import type { AllGranted, Deadlock, Granted, LossReason } from '../../lib/protocol.ts';
import { canBeGranted, type NaiveOwner } from './naive-deadlock.ts';
import {
  type AllRequest,
  findGrantable,
  type Group,
  type Hold,
  isSameLock,
  isSameOwner,
  keyOf,
  type LockKey,
  modeOf,
  type NaiveState,
  type Place,
  type Request,
} from './naive-state.ts';
import type { NaiveEvent } from './naive-types.ts';
import { viewHold } from './naive-views.ts';

export const CANCELLED: WaitResult = { status: 'cancelled' };
export const DEADLOCK: WaitResult & Deadlock = { status: 'deadlock', cycle: [] };
const MAX_HOLDERS_TOLD = 10;

/** The state and its transitions. The naive lock table decides which requests are allowed. */
export class NaiveBook implements NaiveState {
  /** In order of their grants. */
  holds: Hold[] = [];
  /** In order of arrival. */
  places: Place[] = [];
  groups: Group[] = [];
  ended: number[] = [];
  /** The state at each deadlock that the last step found. */
  stuckStates: { readonly owner: NaiveOwner; readonly state: NaiveState }[] = [];
  /** In the order in which they were set. */
  #deadlines: { readonly atMs: number; readonly of: Hold | Request | Group }[] = [];
  #events: NaiveEvent[] = [];
  /** A step that grants several locks may begin with any of them. Requests with these contexts come first. */
  grantOrder: readonly number[] = [];
  /** The requests that are answered in this step, in order, where others than those may be answered later; none means never. */
  answered: readonly number[] | undefined;
  /** Holds that were taken away, but whose holders were not told yet. */
  evicted: Hold[] = [];
  /** The requests that may be refused for a deadlock in this step, by their contexts; none means any. */
  refusable: ReadonlySet<number> | undefined;
  #lastToken = 0;

  get nextDeadlineMs(): number {
    return Math.min(...this.#deadlines.map((deadline) => deadline.atMs));
  }

  /** Whether these requests of an owner are to be refused now. */
  isRefused(owner: NaiveOwner, requests: readonly (Request | AllRequest)[]): boolean {
    return this.#areRefusable(requests) && this.isStuck(owner);
  }

  /** The same for requests that would be granted more than the owner holds. */
  isRefusedWith(owner: NaiveOwner, requests: readonly (Request | AllRequest)[], more: readonly Hold[]): boolean {
    return this.#areRefusable(requests) && this.isStuckWith(owner, more);
  }

  #areRefusable(requests: readonly (Request | AllRequest)[]): boolean {
    return this.refusable === undefined || requests.some(({ context }) => this.refusable?.has(context));
  }

  /** Whether an owner with a tag waits for a lock that it can never be granted. */
  isStuck(owner: NaiveOwner): boolean {
    return this.#isStuckIn(
      { holds: [...this.holds], places: [...this.places], groups: [...this.groups], ended: [...this.ended] },
      owner,
    );
  }

  /** The same, if it held these locks too. */
  isStuckWith(owner: NaiveOwner, more: readonly Hold[]): boolean {
    const isGranted = (place: Place) => isSameOwner(place, owner) && more.some((hold) => isSameLock(hold, place));
    const places = this.places.filter((place) => !isGranted(place));
    return this.#isStuckIn(
      { holds: [...this.holds, ...more], places, groups: [...this.groups], ended: [...this.ended] },
      owner,
    );
  }

  #isStuckIn(state: NaiveState, owner: NaiveOwner): boolean {
    if (owner.tag === '' || canBeGranted(state, owner)) return false;
    const places = state.places.map((place) => ({ ...place, requests: [...place.requests] }));
    this.stuckStates.push({ owner, state: { ...state, places } });
    return true;
  }

  answerHolder(hold: Hold, request: Request, nowMs: number): Granted {
    if (request.leaseMs !== undefined) this.startLease(hold, request.leaseMs, nowMs);
    return { status: 'ok', token: hold.token, count: this.holdersOf(hold).length, alreadyHeld: true };
  }

  wait(place: Place, request: Request, nowMs: number): void {
    place.requests.push(request);
    this.#deadlines.push({ atMs: nowMs + request.waitMs, of: request });
  }

  waitForAll(group: Group, atMs: number): void {
    this.places.push(...group.places);
    this.groups.push(group);
    this.#deadlines.push({ atMs, of: group });
  }

  /** The earliest deadline, if it has come. Of equal deadlines the one that was set first. */
  findDue(nowMs: number): Hold | Request | Group | undefined {
    const earliestMs = this.nextDeadlineMs;
    if (earliestMs > nowMs) return undefined;
    return this.#deadlines.find((deadline) => deadline.atMs === earliestMs)?.of;
  }

  /** Grants locks as long as any can be granted. */
  letIn(nowMs: number): void {
    if (this.answered !== undefined) {
      for (const context of this.answered) this.#answerNow(context, nowMs);
      return;
    }
    for (;;) {
      const units = this.grantable;
      const first = this.grantOrder.map((context) => units.find((unit) => this.#contextOf(unit) === context));
      const unit = first.find((unit) => unit !== undefined) ?? units[0];
      if (unit === undefined) return;
      this.grantUnit(unit, nowMs);
    }
  }

  /** Groups that count on a hold which has ended. */
  get doomed(): readonly Group[] {
    return this.groups.filter((group) => !group.held.every((hold) => this.holds.includes(hold)));
  }

  /** Those of them that should be cancelled by now. */
  get overdue(): readonly Group[] {
    const known = [...this.holds, ...this.evicted];
    return this.groups.filter((group) => !group.held.every((hold) => known.includes(hold)));
  }

  get grantable(): readonly (readonly Place[])[] {
    return findGrantable(this).filter(([place]) => !this.doomed.includes(this.groupOf(place as Place) as Group));
  }

  /** Grants or cancels a request if it is its turn. */
  #answerNow(context: number, nowMs: number): void {
    const unit = this.grantable.find((unit) => this.#contextOf(unit) === context);
    const group = this.doomed.find((group) => group.request.context === context);
    if (unit !== undefined) this.grantUnit(unit, nowMs);
    else if (group !== undefined) this.endGroup(group, CANCELLED);
  }

  #contextOf([place]: readonly Place[]): number | undefined {
    return place === undefined ? undefined : (this.groupOf(place)?.request.context ?? place.requests[0]?.context);
  }

  grantUnit([place]: readonly Place[], nowMs: number): void {
    if (place === undefined) return;
    const group = this.groupOf(place);
    if (group === undefined) {
      this.#grantPlace(place, nowMs);
      return;
    }
    this.removeGroup(group);
    this.#tellAnswer(place.session, group.request.context, this.grantAll(place, group.request, nowMs));
  }

  #grantPlace(place: Place, nowMs: number): void {
    const first = place.requests[0] as Request;
    const hold = this.#grant(place, place, { ...first, mode: modeOf(place) }, nowMs);
    const granted: Granted = { status: 'ok', token: hold.token, count: this.holdersOf(place).length };
    for (const request of [...place.requests]) {
      this.#answer(place, request, request === first ? granted : { ...granted, alreadyHeld: true });
      if (request.leaseMs !== undefined) this.startLease(hold, request.leaseMs, nowMs);
    }
  }

  grantAnew(owner: NaiveOwner, key: LockKey, request: Request, nowMs: number): Granted {
    const hold = this.#grant(owner, key, request, nowMs);
    if (request.leaseMs !== undefined) this.startLease(hold, request.leaseMs, nowMs);
    return { status: 'ok', token: hold.token, count: this.holdersOf(key).length };
  }

  grantAll(owner: NaiveOwner, { locks, id, leaseMs }: AllRequest, nowMs: number): AllGranted {
    const alreadyHeld: string[] = [];
    const holds = locks.map((lock) => {
      const key = keyOf(lock);
      const known = this.holdersOf(key).find((hold) => isSameOwner(hold, owner));
      if (known === undefined) return this.#grant(owner, key, { mode: lock.mode, id }, nowMs);
      alreadyHeld.push(lock.name);
      return known;
    });
    if (leaseMs !== undefined) for (const hold of holds) this.startLease(hold, leaseMs, nowMs);
    const tokens = holds.map((hold) => hold.token);
    const counts = holds.map((hold) => this.holdersOf(hold).length);
    return { status: 'ok', tokens, counts, ...(alreadyHeld.length === 0 ? {} : { alreadyHeld }) };
  }

  #grant(
    { session, tag }: NaiveOwner,
    { name, isPermit }: LockKey,
    { mode, id: requestId, isStealable = false }: Pick<LockRequest, 'mode' | 'id' | 'isStealable'>,
    nowMs: number,
  ): Hold {
    this.#lastToken += 1;
    const token = this.#lastToken;
    const hold = { session, name, isPermit, tag, mode, token, sinceMs: nowMs, requestId, isStealable };
    this.holds.push(hold);
    return hold;
  }

  startLease(hold: Hold, leaseMs: number, nowMs: number): void {
    this.#forgetDeadline(hold);
    this.#deadlines.push({ atMs: nowMs + leaseMs, of: hold });
  }

  hasLease(hold: Hold): boolean {
    return this.#deadlines.some((deadline) => deadline.of === hold);
  }

  #forgetDeadline(of: Hold | Request | Group): void {
    this.#deadlines = this.#deadlines.filter((deadline) => deadline.of !== of);
  }

  removeHold(hold: Hold): void {
    this.holds = this.holds.filter((other) => other !== hold);
    this.#forgetDeadline(hold);
    this.evicted = this.evicted.filter((other) => other !== hold);
    if (this.answered !== undefined) return;
    for (const group of this.groups.filter((group) => group.held.includes(hold))) this.endGroup(group, CANCELLED);
  }

  loseHold(hold: Hold, reason: LossReason): void {
    this.loseHolds([hold], reason);
  }

  loseHolds(holds: readonly Hold[], reason: LossReason): void {
    for (const { session, name, mode, tag, token } of holds) {
      this.#events.push({ kind: 'lost', session, hold: { lockName: name, mode, owner: tag, token, reason } });
    }
    for (const hold of holds) this.removeHold(hold);
  }

  endRequest(request: Request, result: WaitResult, nowMs: number): void {
    const place = this.placeOf(request);
    this.#answer(place, request, result);
    // The limits of the others may be too small for a grant, ever.
    if (this.isRefused(place, place.requests) && place.requests.length > 0) this.endPlace(place, DEADLOCK);
    this.letIn(nowMs);
  }

  placeOf(request: Request): Place {
    return this.places.find((place) => place.requests.includes(request)) as Place;
  }

  groupOf(place: Place): Group | undefined {
    return this.groups.find((group) => group.places.includes(place));
  }

  endPlace(place: Place, result: WaitResult): void {
    const group = this.groupOf(place);
    if (group !== undefined) this.endGroup(group, result);
    for (const request of [...place.requests]) this.#answer(place, request, result);
  }

  endGroup(group: Group, result: WaitResult): void {
    if (!this.groups.includes(group)) return;
    this.removeGroup(group);
    this.#tellAnswer((group.places[0] as Place).session, group.request.context, result);
  }

  removeGroup(group: Group): void {
    this.groups = this.groups.filter((other) => other !== group);
    this.places = this.places.filter((place) => !group.places.includes(place));
    this.#forgetDeadline(group);
  }

  timeoutOf(places: readonly Place[], nowMs: number): WaitResult {
    const holds = places.flatMap((place) => this.holdersOf(place)).slice(0, MAX_HOLDERS_TOLD);
    return { status: 'timeout', holders: holds.map((hold) => viewHold(hold, nowMs)) };
  }

  /** Ends a waiting request, and its place with the last one. */
  #answer(place: Place, request: Request, result: WaitResult): void {
    place.requests.splice(place.requests.indexOf(request), 1);
    if (place.requests.length === 0) this.places = this.places.filter((other) => other !== place);
    this.#forgetDeadline(request);
    this.#tellAnswer(place.session, request.context, result);
  }

  #tellAnswer(session: number, context: number, result: WaitResult): void {
    this.#events.push({ kind: 'answered', session, context, result });
  }

  holdersOf(key: LockKey): Hold[] {
    return this.holds.filter((hold) => isSameLock(hold, key));
  }

  takeEvents(): readonly NaiveEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
