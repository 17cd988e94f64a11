import { inspect, isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import type { TableCounts, TableLimits } from '../../lib/locks/types.ts';
import type { LockInformation } from '../../lib/protocol.ts';
import { canBeGranted } from './naive-deadlock.ts';
import type { NaiveEvent } from './naive-types.ts';
import { TablePair } from './table-pair.ts';
import {
  crowdingSteps,
  entanglingSteps,
  lettingInSteps,
  NAMES,
  NO_LIMITS,
  type Step,
  searchingSteps,
  slicedPassingSteps,
  slicedSearchingSteps,
  slicedSteps,
  steps,
  TIGHT_BYTES,
  TIGHT_LIMITS,
} from './table-steps.ts';

/** How many sequences are tried; HOLDFAST_MODEL_RUNS asks for more when something rare is looked for. */
const RUNS = Number(process.env.HOLDFAST_MODEL_RUNS ?? 300);
const LIMITS = fc.constantFrom(NO_LIMITS, NO_LIMITS, NO_LIMITS, TIGHT_LIMITS, TIGHT_BYTES);
const ALL = Number.POSITIVE_INFINITY;

/** False and true in turn. */
function takingTurns(): () => boolean {
  let isTrue = true;
  return () => {
    isTrue = !isTrue;
    return isTrue;
  };
}

describe('lock table beside the naive lock table', function () {
  this.timeout(300_000);

  it('gives the same answers and events for any sequence of steps', () => {
    fc.assert(
      fc.property(LIMITS, steps, (limits, sequence) => compare(limits, sequence)),
      { numRuns: RUNS },
    );
  });

  it('refuses the same requests as deadlocks, each with a true cycle', () => {
    fc.assert(
      fc.property(entanglingSteps, (sequence) => compare(NO_LIMITS, sequence, expectNobodyStuck)),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });

  it('finds every deadlock in the end, and no false one, while it searches in slices', () => {
    fc.assert(fc.property(fc.constantFrom(0, 0, 1, 4, 16), searchingSteps, compareSearch), {
      numRuns: Math.ceil(RUNS / 2),
    });
  });

  it('gives the same answers in the end, and in order, while requests are answered in slices', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 0, 1, 2, 4, 8), lettingInSteps, (answersAtOnce, sequence) =>
        compareSlices(new TablePair(NO_LIMITS, { answersAtOnce, isBusy: takingTurns() }), sequence),
      ),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  it('refuses only requests in a deadlock, and gives the same answers in the end, while all long work is done in slices', () => {
    const few = fc.constantFrom(0, 0, 1, 2);
    fc.assert(
      fc.property(few, few, slicedSearchingSteps, (searchStepsAtOnce, answersAtOnce, sequence) =>
        compareSlices(new TablePair(NO_LIMITS, { searchStepsAtOnce, answersAtOnce, isBusy: takingTurns() }), sequence),
      ),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });

  it('answers the same while sessions end in slices', () => {
    fc.assert(
      fc.property(LIMITS, slicedSteps, (limits, sequence) => compare(limits, sequence)),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  it('answers the same while sessions end in slices and permits without limit pass waiters', () => {
    fc.assert(
      fc.property(LIMITS, slicedPassingSteps, (limits, sequence) => compare(limits, sequence)),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  it('answers the same when locks and sessions have many claims', () => {
    fc.assert(
      fc.property(crowdingSteps, (sequence) => compare(NO_LIMITS, sequence)),
      { numRuns: Math.ceil(RUNS / 100) },
    );
  });
});

function compare(
  limits: TableLimits,
  sequence: readonly Step[],
  expectMore: (pair: TablePair) => void = () => undefined,
): void {
  const pair = new TablePair(limits);
  follow(pair, sequence, expectMore);
  while (pair.liveSessions.length > 0) pair.take({ step: 'endSession', session: 0, max: ALL });
  while (pair.isUnfinished) pair.take({ step: 'goOn', pick: 0, max: ALL });
  expectNothingLeft(pair);
}

/** Requests may be refused later than the naive table would refuse them, but never without cause; in the end nobody is stuck. */
function compareSearch(searchStepsAtOnce: number, sequence: readonly Step[]): void {
  const pair = new TablePair(NO_LIMITS, { searchStepsAtOnce });
  const expectSearched = () => {
    if (!pair.real.isBehind) expectNobodyStuck(pair);
  };
  follow(pair, sequence, expectSearched);
  while (pair.real.isBehind) follow(pair, [{ step: 'catchUp', max: 1 }], expectSearched);
  expectNobodyStuck(pair);
}

/** Requests may be answered later than by the naive table, but only if it is their turn; in the end all are answered. */
function compareSlices(pair: TablePair, sequence: readonly Step[]): void {
  const expectLetIn = () => {
    if (!pair.real.isBehind) expectSame([pair.naive.grantable, pair.naive.overdue], [[], []]);
  };
  follow(pair, sequence, expectLetIn);
  while (pair.isUnfinished) follow(pair, [{ step: 'goOn', pick: 0, max: 1 }], expectLetIn);
  while (pair.real.isBehind) follow(pair, [{ step: 'catchUp', max: 1 }], expectLetIn);
  expectLetIn();
}

function follow(pair: TablePair, sequence: readonly Step[], expectMore: (pair: TablePair) => void): void {
  let before = viewAll(pair);
  for (const step of sequence) {
    const { real, naive } = pair.take(step);
    expectSame(real.result, naive.result);
    expectSame(inComparableOrder(real.events, step), inComparableOrder(naive.events, step));
    const after = viewAll(pair);
    expectNobodyBesideWriters(after);
    expectNobodyPassed(before, after, step);
    expectCountsToAgree(pair, after);
    expect(pair.real.nextDeadlineMs).to.equal(pair.naive.nextDeadlineMs);
    expectMore(pair);
    before = after;
  }
}

function viewAll(pair: TablePair): readonly LockInformation[] {
  const { real, naive } = pair.list();
  expectSame(real.result, naive.result);
  return NAMES.map((name) => {
    const view = pair.inspect(name, ALL);
    expectSame(view.real, view.naive);
    return view.real.result;
  });
}

/** The order of events is fixed. Only when several claims end at once may they end in any order. */
function inComparableOrder(events: readonly NaiveEvent[], step: Step): readonly NaiveEvent[] {
  if (step.step !== 'endSession' && step.step !== 'releaseAll' && step.step !== 'goOn') return events;
  const isGrant = (event: NaiveEvent) => event.kind === 'answered' && event.result.status === 'ok';
  const departures = events.filter((event) => !isGrant(event));
  return [...departures.toSorted(inTextOrder), ...events.filter(isGrant)];
}

function inTextOrder(a: NaiveEvent, b: NaiveEvent): number {
  const [textA, textB] = [JSON.stringify(a), JSON.stringify(b)];
  return textA < textB ? -1 : Number(textA > textB);
}

function expectNobodyBesideWriters(views: readonly LockInformation[]): void {
  for (const { holders } of views) {
    const modes = holders.map((holder) => holder.mode).filter((mode) => mode !== 'permit');
    if (modes.includes('exclusive')) expect(modes).to.deep.equal(['exclusive']);
  }
}

/** Every waiter with a tag can still be granted its lock. */
function expectNobodyStuck({ naive }: TablePair): void {
  for (const place of naive.places) {
    if (place.tag !== '') expect(canBeGranted(naive, place)).to.equal(true);
  }
}

/** Only permits without a limit were granted ahead of earlier waiters. */
function expectNobodyPassed(before: readonly LockInformation[], after: readonly LockInformation[], step: Step): void {
  const isSteal = step.step === 'acquire' && step.steal !== undefined;
  const isFreeToPass = step.step === 'acquire' && step.mode === 'permit' && step.limit === undefined;
  for (const [index, view] of after.entries()) {
    const earlier = before[index] as LockInformation;
    if (!isSteal || step.name !== view.lockName) expectOrderKept(earlier, view, false);
    if (step.step === 'acquireAll') continue;
    if (!isFreeToPass || step.name !== view.lockName) expectOrderKept(earlier, view, true);
  }
}

function expectOrderKept(before: LockInformation, after: LockInformation, isPermit: boolean): void {
  const held = ownersIn(before.holders, isPermit);
  const unlimited = before.waiters.filter((waiter) => waiter.limit === undefined);
  const queue = ownersIn(before.waiters, isPermit);
  const stillWaiting = ownersIn(after.waiters, isPermit);
  for (const owner of ownersIn(after.holders, isPermit)) {
    if (held.includes(owner) || (isPermit && ownersIn(unlimited, true).includes(owner))) continue;
    const ahead = queue.includes(owner) ? queue.slice(0, queue.indexOf(owner)) : queue;
    expect(ahead.filter((other) => stillWaiting.includes(other))).to.deep.equal([]);
  }
}

function ownersIn(
  claims: LockInformation['holders'] | LockInformation['waiters'],
  isPermit: boolean,
): readonly string[] {
  const ofKind = claims.filter((claim) => (claim.mode === 'permit') === isPermit);
  return ofKind.map((claim) => `${claim.name} ${claim.owner}`);
}

function expectCountsToAgree(pair: TablePair, views: readonly LockInformation[]): void {
  const isHeld = (view: LockInformation, isPermit: boolean) =>
    view.holders.some((holder) => (holder.mode === 'permit') === isPermit);
  const counts: Omit<TableCounts, 'tableBytes'> = {
    locks: views.filter((view) => isHeld(view, false)).length,
    permits: views.filter((view) => isHeld(view, true)).length,
    holders: views.reduce((sum, view) => sum + view.holderCount, 0),
    waiting: pair.waiting.size,
    sessions: pair.liveSessions.length,
  };
  const { tableBytes, ...real } = pair.real.counts;
  const { tableBytes: naiveTableBytes, ...naive } = pair.naive.counts;
  expectSame(real, counts);
  expectSame(naive, counts);
  const { real: sessions, naive: naiveSessions } = pair.sessionBytes();
  expectSame([tableBytes, ...sessions.result], [naiveTableBytes, ...naiveSessions.result]);
}

function expectNothingLeft(pair: TablePair): void {
  const counts: TableCounts = { locks: 0, permits: 0, holders: 0, waiting: 0, sessions: 0, tableBytes: 0 };
  expect(pair.real.counts).to.deep.equal(counts);
  expect(pair.list().real.result).to.deep.equal([]);
  expect(pair.real.nextDeadlineMs).to.equal(ALL);
  expect([...pair.waiting]).to.deep.equal([]);
}

/** Shows where the two differ. The quick check comes first, because it runs a million times. */
function expectSame(real: unknown, naive: unknown): void {
  if (isDeepStrictEqual(real, naive)) return;
  expect(real, `${inspect(real, { depth: 5 })} should be ${inspect(naive, { depth: 5 })}`).to.deep.equal(naive);
}
