/** The lock table of the running test and four clients, for tests that read like a story. */

import { expect } from 'chai';
import { LockTable } from '../../lib/locks/lock-table.ts';
import type {
  AcquireAllResult,
  AcquireResult,
  EarlierHold,
  LockAllRequest,
  LockKind,
  LockRequest,
  Outcome,
  ReleaseRequest,
  Rest,
  Session,
  TableEvent,
  TableLimits,
  TableOptions,
} from '../../lib/locks/types.ts';
import type {
  CancelResult,
  Deadlock,
  LockInformation,
  ReleaseAllResult,
  ReleaseResult,
  RequestedLock,
  RequestId,
} from '../../lib/protocol.ts';

const ALL = Number.POSITIVE_INFINITY;
const LIMITS: TableLimits = {
  maxLocks: 100,
  maxLocksPerSession: 100,
  maxWaitersPerLock: 100,
  maxLocksPerRequest: 100,
  maxTableBytes: ALL,
  maxBytesPerSession: ALL,
};

export let table: LockTable;
export let anna: Session;
export let ben: Session;
export let cara: Session;
export let dora: Session;
let nowMs = 0;
/** The events so far, as text. */
let news: string[] = [];

/** Starts a table before each test of the suite. */
export function tableScene(): void {
  beforeEach(() => startTable());
}

/** Starts an empty table. Tokens are 1, 2, 3... unless they are given. */
export function startTable(
  limits: Partial<TableLimits> = {},
  tokens: readonly number[] = [],
  options: Pick<TableOptions, 'searchStepsAtOnce' | 'answersAtOnce' | 'isBusy' | 'maxCycleSteps' | 'mayGrant'> = {},
): void {
  let granted = 0;
  table = new LockTable({
    limits: { ...LIMITS, ...limits },
    nextToken: () => {
      granted += 1;
      return tokens[granted - 1] ?? granted;
    },
    ...options,
  });
  const open = (name: string): Session => table.openSession({ clientName: name, address: `${name}:1` });
  [anna, ben, cara, dora] = [open('anna'), open('ben'), open('cara'), open('dora')];
  nowMs = 0;
  news = [];
}

/** Asks for `jobs`, exclusively, without a tag and a time limit, unless the request says otherwise. */
export function acquire(session: Session, request: string | Partial<LockRequest> = {}): AcquireResult {
  const context = session.client.clientName;
  const usual: LockRequest = { name: 'jobs', mode: 'exclusive', tag: '', waitMs: ALL, context };
  const wanted = typeof request === 'string' ? { name: request } : request;
  const result = note(table.acquire(session, { ...usual, ...wanted }, nowMs));
  return result.status === 'stolen' ? result.granted : result;
}

/** Makes requests one after the other, each by a session, as `acquire` does. */
export function acquireEach(...requests: readonly (readonly [Session, (string | Partial<LockRequest>)?])[]): void {
  for (const [session, request] of requests) acquire(session, request);
}

/** Asks for several locks, exclusively unless a mode is given, without a tag and a time limit. */
export function acquireAll(
  session: Session,
  locks: readonly (string | RequestedLock)[],
  request: Partial<LockAllRequest> = {},
): AcquireAllResult {
  const wanted = locks.map(
    (lock): RequestedLock => (typeof lock === 'string' ? { name: lock, mode: 'exclusive' } : lock),
  );
  const usual: LockAllRequest = { locks: wanted, tag: '', waitMs: ALL, context: session.client.clientName };
  return note(table.acquireAll(session, { ...usual, ...request }, nowMs));
}

export function forceRelease(name: string = 'jobs', kind: LockKind = 'readerWriter'): number {
  return note(table.forceRelease(name, kind, nowMs))?.count ?? 0;
}

export function release(session: Session, request: string | ReleaseRequest = 'jobs'): ReleaseResult {
  return note(table.release(session, typeof request === 'string' ? { name: request } : request, nowMs));
}

export function releaseAll(session: Session, tag?: string): ReleaseAllResult {
  return { status: 'ok', released: note(table.releaseAll(session, tag, nowMs)).releasedCount };
}

export function cancel(session: Session, id: RequestId): CancelResult['outcome'] {
  return note(table.cancel(session, id, nowMs)).outcome;
}

/** Lets time pass and ends all waits and leases that are due then. */
export function wait(ms: number, max: number = ALL): void {
  nowMs += ms;
  tell(table.expire(max, nowMs));
}

/** Ends a session and takes up to `max` steps; the rest is for `goOn`. */
export function endSession(session: Session, max: number = ALL): Rest {
  const end = table.endSession(session);
  goOn(end, max);
  return end;
}

export function goOn(work: Rest, max: number = ALL): void {
  tell(table.goOn(work, max, nowMs));
}

/** Gives a hold of an earlier run back; returns whether that was possible. */
export function restore(session: Session, hold: EarlierHold): boolean {
  return note(table.restore(session, hold, nowMs));
}

/** Goes on with what the operations left, in the shortest slices: so many of them, or until nothing is left. */
export function catchUp(slices: number = ALL): void {
  for (let count = 0; count < slices && table.isBehind; count += 1) tell(table.catchUp(1, nowMs));
}

export function letInAll(): void {
  tell(table.letInAll(nowMs));
}

export function drain(): void {
  tell(table.drain());
}

export function inspect(name: string = 'jobs', max: number = ALL): LockInformation {
  return table.inspect(name, max, nowMs);
}

/** The holders of `jobs`, in order of the grants; with the tag, if there is one. */
export function holders(name: string = 'jobs'): readonly string[] {
  return inspect(name).holders.map(ownerName);
}

/** The waiters for `jobs`, in order of the queue. */
export function waiters(name: string = 'jobs'): readonly string[] {
  return inspect(name).waiters.map(ownerName);
}

/** Forgets the news and returns them: `context: status` and `session lost name: reason`. */
export function takeNews(): readonly string[] {
  const taken = news;
  news = [];
  return taken;
}

/** Expects exactly these news since they were last taken. */
export function expectNews(...expected: readonly string[]): void {
  expect(takeNews()).to.deep.equal(expected);
}

function note<Result>(outcome: Outcome<Result>): Result {
  tell(outcome.events);
  return outcome.result;
}

function tell(events: readonly TableEvent[]): void {
  for (const event of events) {
    if (event.kind === 'lost') {
      news.push(`${event.session.client.clientName} lost ${event.hold.lockName}: ${event.hold.reason}`);
    } else {
      const isShared = event.result.status === 'ok' && event.result.alreadyHeld === true;
      news.push(`${event.context}: ${event.result.status}${isShared ? ' alreadyHeld' : ''}`);
    }
  }
}

/** The cycle of a result as text, or its status when it has none. */
export function viewCycle(result: { readonly status: string }): readonly string[] {
  if (!('cycle' in result)) return [result.status];
  const { cycle = [] } = result as Deadlock;
  return cycle.map((step) => `${ownerName(step)} waits for ${step.lockName} ${step.mode}: ${step.blockedBy}`);
}

function ownerName({ name, owner }: { readonly name: string; readonly owner: string }): string {
  return owner === '' ? name : `${name}/${owner}`;
}
