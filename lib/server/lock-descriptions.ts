/** What the lock table tells of owners, in the words that people and programs are told: names, addresses, durations. */

import type {
  AcquireAllResult,
  AcquireResult,
  Deadlock,
  HolderView,
  LockView,
  TableEvent,
  TimedOut,
  WaiterView,
  WaitResult,
  WaitStep,
} from '../locks/types.ts';
import { GrantedResult } from '../wire/reply-printer.ts';
import type { Clock } from './clock.ts';
import type {
  HolderDescription,
  LockClientInfo,
  LockDescription,
  NotGranted,
  PageLimits,
  Taken,
  TakenHold,
  WaiterDescription,
  WaitStepDescription,
} from './lock-manager.ts';

/** What a described holder, waiter or step takes beside its texts, in characters of JSON, about. */
const ENTRY_CHARACTERS = 150;
/** How many of those who lost a lock are told. */
const MAX_TAKEN_TOLD = 100;

/** What the lock table answers a request that does not wait any longer. */
export type TableAnswer =
  | Exclude<TableAnswerAtOnce, { readonly status: 'queued' }>
  | WaitResult<LockClientInfo, unknown>;

type TableAnswerAtOnce = AcquireResult<LockClientInfo, unknown> | AcquireAllResult<LockClientInfo, unknown>;

/** The same as clients are told it. */
export type DescribedAnswer<Given extends TableAnswer> =
  | Exclude<Given, TimedOut<LockClientInfo, unknown> | Deadlock<LockClientInfo, unknown>>
  | NotGranted;

/** One name with its holders and waiters. */
export function describeLock(view: LockView<LockClientInfo, unknown>, nowMs: number): LockDescription {
  return {
    lockName: view.name,
    holderCount: view.holderCount,
    waiterCount: view.waiterCount,
    holders: view.holders.map((holder) => describeHolder(holder, nowMs)),
    waiters: view.waiters.map((waiter) => describeWaiter(waiter, nowMs)),
  };
}

/** An answer as clients are told it. */
export function describeAnswer<Given extends TableAnswer>(
  given: Given,
  limits: PageLimits,
  clock: Clock,
): DescribedAnswer<Given> {
  return describeOthers(given, limits, clock) as DescribedAnswer<Given>;
}

function describeOthers(given: TableAnswer, limits: PageLimits, clock: Clock): TableAnswer | NotGranted {
  if (given.status === 'ok') {
    const isCommon = 'token' in given && given.alreadyHeld === undefined;
    return isCommon ? new GrantedResult(given.token, given.count) : given;
  }
  if (given.status === 'timeout') {
    const nowMs = clock.nowMs();
    const holders = given.holders.map((view) => ({ lockName: view.name, ...describeHolder(view, nowMs) }));
    return { status: 'timeout', holders };
  }
  if (given.status !== 'deadlock') return given;
  const cycle = describeCycle(given.cycle, limits);
  return cycle === undefined ? { status: 'deadlock' } : { status: 'deadlock', cycle };
}

/** Undefined when it has more entries or, about, more characters than one reply may tell. */
function describeCycle(
  cycle: readonly WaitStep<LockClientInfo, unknown>[],
  { maxPageEntries, maxPageBytes }: PageLimits,
): readonly WaitStepDescription[] | undefined {
  if (cycle.length > maxPageEntries) return undefined;
  const steps = cycle.map(({ session, tag, name, mode, blockedBy }) => ({
    owner: tag,
    name: session.subject.clientName,
    address: session.subject.address,
    lockName: name,
    mode,
    blockedBy,
  }));
  const characters = steps.reduce((sum, step) => sum + charactersOf(step) + step.lockName.length, 0);
  return characters > maxPageBytes ? undefined : steps;
}

/** Whose holds were taken away by what just happened. */
export function describeTaken(events: readonly TableEvent<LockClientInfo, unknown>[]): Taken {
  const holders: TakenHold[] = [];
  let count = 0;
  for (const event of events) {
    if (event.kind !== 'lost' || (event.reason !== 'forced' && event.reason !== 'stolen')) continue;
    count += 1;
    if (holders.length >= MAX_TAKEN_TOLD) continue;
    const { session, tag, mode, token } = event;
    const { clientName, address } = session.subject;
    holders.push({ owner: tag, name: clientName, address, mode, token });
  }
  return { count, holders };
}

/** The length of an entry in JSON, about, without the name of its lock. */
export function charactersOf(entry: {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
}): number {
  return entry.owner.length + entry.name.length + entry.address.length + ENTRY_CHARACTERS;
}

function describeHolder(view: HolderView<LockClientInfo, unknown>, nowMs: number): HolderDescription {
  const { session, tag, mode, token, sinceMs, isStealable } = view;
  return {
    owner: tag,
    name: session.subject.clientName,
    address: session.subject.address,
    mode,
    token,
    heldMs: Math.round(nowMs - sinceMs),
    ...(isStealable ? { stealable: true } : {}),
  };
}

function describeWaiter(view: WaiterView<LockClientInfo, unknown>, nowMs: number): WaiterDescription {
  const { session, tag, mode, limit, position, isPartOfAll, sinceMs } = view;
  return {
    owner: tag,
    name: session.subject.clientName,
    address: session.subject.address,
    mode,
    ...(limit === undefined ? {} : { limit }),
    position,
    ...(isPartOfAll ? { lockAll: true } : {}),
    waitedMs: Math.round(nowMs - sinceMs),
  };
}
