import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Granted, TableLimits, WaitResult } from '../../lib/locks/types.ts';
import { keyOf, nameOf } from './naive-state.ts';
import type { NaiveEvent, NaivePage, NaiveView } from './naive-types.ts';
import { type Both, TablePair } from './table-pair.ts';
import { NAMES, NO_LIMITS, type Step, slicedPassingSteps, slicedSteps } from './table-steps.ts';

/** How many sequences are tried; HOLDFAST_MODEL_RUNS asks for more when something rare is looked for. */
const RUNS = Number(process.env.HOLDFAST_MODEL_RUNS ?? 6_000);
const LIMITS = fc.constantFrom(NO_LIMITS, NO_LIMITS, { ...NO_LIMITS, maxLocksPerSession: 5, maxWaitersPerLock: 3 });
const ALL = Number.POSITIVE_INFINITY;

/**
 * The naive table frees everything of a session the moment it ends. The lock table may take its time, as long as
 * nobody who asks it anything can tell: only the news of a grant may come later.
 */
describe('lock table that ends sessions in slices', function () {
  this.timeout(300_000);

  it('answers as if each session had ended at once', () => {
    fc.assert(
      fc.property(LIMITS, slicedSteps, (limits, sequence) => new SlicedTrial(limits).run(sequence)),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  it('answers so where permits without limit pass those who wait', () => {
    fc.assert(
      fc.property(LIMITS, slicedPassingSteps, (limits, sequence) => new SlicedTrial(limits).run(sequence)),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });
});

class SlicedTrial {
  readonly #pair: TablePair;
  /** By the context of the request. */
  readonly #realAnswers: Map<number, WaitResult> = new Map();
  readonly #naiveAnswers: Map<number, WaitResult> = new Map();
  /** Holds that were lost, by the context of the request that they were granted to. */
  readonly #realLosses: Map<number, NaiveEvent> = new Map();
  readonly #naiveLosses: Map<number, NaiveEvent> = new Map();

  constructor(limits: TableLimits) {
    this.#pair = new TablePair(limits, true);
  }

  run(sequence: readonly Step[]): void {
    for (const step of sequence) {
      // Draining is given no time to grant what is overdue.
      if (step.step === 'drain') this.#sweepAll();
      this.#take(step);
    }
    while (this.#pair.liveSessions.length > 0) this.#take({ step: 'endSession', session: 0, max: 1 });
    this.#sweepAll();
    expect(this.#pair.real.counts).to.deep.equal({ locks: 0, permits: 0, holders: 0, waiting: 0, sessions: 0 });
    expect([...this.#pair.waiting]).to.deep.equal([]);
  }

  #sweepAll(): void {
    while (this.#pair.real.needsSweep) this.#take({ step: 'sweep', max: 2 });
  }

  #take(step: Step): void {
    const both = this.#pair.take(step);
    if (step.step === 'inspect') expectSameView(both as Both<NaiveView>);
    else if (step.step === 'list') this.#expectSamePage(both as Both<NaivePage>);
    else expectSame(both.real.result, both.naive.result);
    this.#note(both.naive.events, this.#naiveAnswers, this.#naiveLosses);
    this.#note(both.real.events, this.#realAnswers, this.#realLosses);
    this.#expectTimelyAnswers(both);
    for (const lock of locksTouched(step)) expect(this.#overdueOn(lock)).to.deep.equal([]);
    expect(this.#pair.real.counts.sessions).to.equal(this.#pair.liveSessions.length);
    expect(this.#pair.real.nextDeadlineMs).to.be.at.most(this.#pair.naive.nextDeadlineMs);
    if (!this.#pair.real.needsSweep) this.#expectNothingOverdue();
  }

  /** A page may take up room with names of locks that are free already, and shows the others as it should. */
  #expectSamePage({ real, naive }: Both<NaivePage>): void {
    const held = this.#pair.naive.list('', undefined, ALL).names;
    const names = real.result.names.filter((name) => held.includes(name));
    if (real.result.hasMore) expectSame(names, naive.result.names.slice(0, names.length));
    else expectSame({ names, hasMore: false }, naive.result);
    if (!this.#pair.real.needsSweep) expectSame(real.result, naive.result);
  }

  #note(events: readonly NaiveEvent[], answers: Map<number, WaitResult>, losses: Map<number, NaiveEvent>): void {
    for (const event of events) {
      if (event.kind === 'lost') losses.set(event.token, event);
      else answers.set(event.context, event.result);
    }
  }

  /** Only grants come late, and none comes that the naive table has not given. */
  #expectTimelyAnswers(both: Both): void {
    for (const event of both.real.events) {
      if (event.kind === 'lost') {
        expectSame(event, this.#naiveLosses.get(event.token));
      } else if (this.#isLive(event.session)) {
        expectSameAnswer(event.result, this.#naiveAnswers.get(event.context), this.#isForPermit(event.context));
      }
    }
    for (const event of both.naive.events) {
      if (!this.#isLive(event.session)) continue;
      if (event.kind === 'lost') expectSame(this.#realLosses.get(event.token), event);
      else if (event.result.status !== 'ok') {
        expectSameAnswer(this.#realAnswers.get(event.context) as WaitResult, event.result, false);
      }
    }
  }

  #isForPermit(context: number): boolean {
    return this.#pair.locksOf.get(context)?.some((lock) => lock.startsWith('permit ')) ?? false;
  }

  #isLive(session: number): boolean {
    return this.#pair.liveSessions.includes(session);
  }

  /** The requests for a lock that the naive table has answered and the lock table has not. */
  #overdueOn(lock: string | undefined): readonly number[] {
    const unanswered = [...this.#pair.waiting.keys()].filter((context) => this.#naiveAnswers.has(context));
    return unanswered.filter((context) => lock === undefined || this.#pair.locksOf.get(context)?.includes(lock));
  }

  #expectNothingOverdue(): void {
    const { real, naive } = this.#pair;
    expect(this.#overdueOn(undefined)).to.deep.equal([]);
    expectSame(real.counts, naive.counts);
    expect(real.nextDeadlineMs).to.equal(naive.nextDeadlineMs);
    for (const name of NAMES) {
      const view = this.#pair.inspect(name, ALL);
      expectSameView(view);
      expect(view.real.events).to.deep.equal([]);
    }
    // A hold that a session was due when it ended is no loss to it: it was told that its wait is cancelled.
    const isLoss = (context: number) => this.#realAnswers.get(Math.floor(context))?.status !== 'cancelled';
    expect([...this.#realLosses.keys()]).to.have.members([...this.#naiveLosses.keys()].filter(isLoss));
  }
}

function locksTouched(step: Step): readonly string[] {
  if (step.step === 'acquire') return [nameOf(keyOf(step))];
  if (step.step === 'forceRelease') return [nameOf(step)];
  if (step.step === 'acquireAll') {
    const names = step.locks.map((lock) => nameOf(keyOf(lock)));
    // A request that names a lock twice is refused before anything is looked at.
    return new Set(names).size === names.length ? names : [];
  }
  if (step.step === 'inspect') return [false, true].map((isPermit) => nameOf({ name: step.name, isPermit }));
  return [];
}

/**
 * Whoever is let in late may find fewer beside him than there were when his turn came, and never more, but where others
 * may pass. Of several locks he may have held some all the time, and there others may have come.
 */
function expectSameAnswer(real: WaitResult, naive: WaitResult | undefined, isPassable: boolean): void {
  expectSame(untimed(real), naive === undefined ? undefined : untimed(naive));
  if (real.status !== 'ok') return;
  if ('counts' in real) expect(Math.min(...real.counts)).to.be.at.least(1);
  else expect(real.count).to.be.within(1, isPassable ? ALL : (naive as Granted).count);
}

/** What does not depend on when it was given. */
function untimed(answer: WaitResult): object {
  if (answer.status === 'timeout') {
    return { ...answer, holders: answer.holders.map((holder) => ({ ...holder, sinceMs: 0 })) };
  }
  return { ...answer, count: 0, counts: [] };
}

/** Whoever is let in late holds since then, and where others may pass, they may have come before him. */
function expectSameView({ real, naive }: Both<NaiveView>): void {
  const untimedView = (view: NaiveView) => ({
    ...view,
    holders: ordered(view).map((holder) => ({ ...holder, sinceMs: 0 })),
  });
  expectSame(untimedView(real.result), untimedView(naive.result));
  const naiveHolders = ordered(naive.result);
  for (const [index, holder] of ordered(real.result).entries()) {
    expect(holder.sinceMs).to.be.at.least(naiveHolders[index]?.sinceMs as number);
  }
}

/** The holders of the reader/writer lock in their order, then those of the permit by their tokens. */
function ordered({ holders }: NaiveView): NaiveView['holders'] {
  const permits = holders.filter(({ mode }) => mode === 'permit').sort((a, b) => a.token - b.token);
  return [...holders.filter(({ mode }) => mode !== 'permit'), ...permits];
}

function expectSame(real: unknown, naive: unknown): void {
  if (isDeepStrictEqual(real, naive)) return;
  expect(real).to.deep.equal(naive);
}
