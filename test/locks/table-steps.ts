/** The operations of a lock table as plain values, which fast-check generates and shrinks. */

import fc from 'fast-check';
import type { LockAllRequest, LockRequest, TableLimits } from '../../lib/locks/types.ts';
import type { LockMode, RequestedLock, RequestId } from '../../lib/protocol.ts';

/** A session is given by its index among the live ones, a claim or a wait by its index among all of them. */
export type Step =
  | AcquireStep
  | AcquireAllStep
  | { readonly step: 'forceRelease'; readonly name: string; readonly isPermit: boolean }
  | { readonly step: 'release'; readonly session: number; readonly name: string; readonly tag: string }
  | { readonly step: 'releaseClaim'; readonly pick: number; readonly keys: readonly Key[]; readonly wrong: Wrong }
  | { readonly step: 'releaseAll'; readonly session: number; readonly tag: string | undefined }
  | { readonly step: 'cancel'; readonly session: number; readonly id: RequestId }
  | { readonly step: 'cancelWaiting'; readonly pick: number }
  | { readonly step: 'move'; readonly byMs: number; readonly max: number }
  | { readonly step: 'endSession'; readonly session: number; readonly max: number }
  | { readonly step: 'openSession' }
  | { readonly step: 'inspect'; readonly name: string; readonly max: number }
  | { readonly step: 'drain' }
  | { readonly step: 'goOn'; readonly pick: number; readonly max: number }
  | { readonly step: 'catchUp'; readonly max: number };

interface RequestStep<Kind extends string> {
  readonly step: Kind;
  readonly session: number;
}

export type AcquireStep = RequestStep<'acquire'> & Required<Omit<LockRequest, 'context'>>;
export type AcquireAllStep = RequestStep<'acquireAll'> &
  Required<Omit<LockAllRequest, 'context' | 'locks'>> & { readonly locks: readonly Required<RequestedLock>[] };

/** The keys that a release takes from an existing claim. */
export type Key = 'name' | 'mode' | 'tag' | 'token';

/** The part of a release that is made wrong. */
type Wrong = 'nothing' | 'session' | Key;

export const NO_LIMITS: TableLimits = {
  maxLocks: 1000,
  maxLocksPerSession: 1000,
  maxWaitersPerLock: 1000,
  maxLocksPerRequest: 1000,
  maxTableBytes: 1_000_000,
  maxBytesPerSession: 1_000_000,
};

/** Low enough to be reached. */
export const TIGHT_LIMITS: TableLimits = {
  maxLocks: 4,
  maxLocksPerSession: 5,
  maxWaitersPerLock: 3,
  maxLocksPerRequest: 2,
  maxTableBytes: 1_000_000,
  maxBytesPerSession: 1_000_000,
};

/** Few enough of them in bytes: each session has room for about three requests, and all together for seven. */
export const TIGHT_BYTES: TableLimits = { ...NO_LIMITS, maxTableBytes: 4_000, maxBytesPerSession: 2_000 };

/** Every name that a step can ask for. */
export const NAMES: readonly string[] = ['a', 'ab', 'b', 'c', 'd', 'e', 'f', 'g'];

/** Most requests are for the same name, so that its queue grows. */
const name = fc.constantFrom('a', 'a', 'a', 'a', 'ab', 'b');
const tag = fc.constantFrom('', '', 'x', 'y');
const session = fc.integer({ min: 0, max: 3 });
const pick = fc.integer({ min: 0, max: 30 });
const id = fc.constantFrom<RequestId>(0, 1, 2, 3, 4, '1', '2');
const waitMs = fc.constantFrom(0, 2, 5, 5, ...Array(4).fill(Number.POSITIVE_INFINITY));
const leaseMs = fc.constantFrom(...Array(8).fill(undefined), 1, 2, 5);

const acquire: fc.Arbitrary<AcquireStep> = fc.record({
  step: fc.constant('acquire'),
  session,
  name,
  mode: fc.constantFrom<LockMode>('exclusive', 'exclusive', 'shared', 'shared', 'shared', 'permit', 'permit', 'permit'),
  limit: fc.constantFrom(undefined, 1, 1, 2, 2, 2, 3),
  tag,
  waitMs,
  leaseMs,
  steal: fc.constantFrom(...Array(20).fill(undefined), 'stealable', 'any'),
  isStealable: fc.constantFrom(undefined, undefined, false, true),
  id: fc.option(id, { nil: undefined, freq: 6 }),
});

const acquireAll: fc.Arbitrary<AcquireAllStep> = fc.record({
  step: fc.constant('acquireAll'),
  session,
  locks: fc.array(
    fc.record({
      name: fc.constantFrom('a', 'a', 'ab', 'b', 'c'),
      mode: fc.constantFrom<LockMode>('exclusive', 'exclusive', 'exclusive', 'shared', 'shared', 'permit', 'permit'),
      limit: fc.constantFrom(undefined, 1, 1, 2),
    }),
    { maxLength: 3 },
  ),
  tag,
  waitMs,
  leaseMs,
  id: fc.option(id, { nil: undefined, freq: 6 }),
});

const releaseClaim: fc.Arbitrary<Step> = fc.record({
  step: fc.constant('releaseClaim'),
  pick,
  keys: fc.constantFrom<Key[]>(
    ['name', 'tag', 'mode'],
    ['name', 'tag', 'mode'],
    ['name', 'tag'],
    ['token'],
    ['token', 'name'],
    ['token', 'mode', 'tag'],
    ['token', 'name', 'tag'],
    ['token', 'name', 'tag', 'mode'],
  ),
  wrong: fc.constantFrom<Wrong>(...Array(10).fill('nothing'), 'session', 'name', 'mode', 'tag', 'token'),
});

function moveAtMost(...max: number[]): fc.Arbitrary<Step> {
  return fc.record({ step: fc.constant('move'), byMs: fc.constantFrom(0, 1, 1, 2, 3), max: fc.constantFrom(...max) });
}

function endSessionAtMost(...max: number[]): fc.Arbitrary<Step> {
  return fc.record({ step: fc.constant('endSession'), session, max: fc.constantFrom(...max) });
}

function goOnAtMost(...max: number[]): fc.Arbitrary<Step> {
  return fc.record({ step: fc.constant('goOn'), pick, max: fc.constantFrom(...max) });
}

/** The kinds of steps; a sequence may put others in their place. */
const KINDS = {
  acquire,
  acquireAll,
  releaseClaim,
  forceRelease: fc.record({ step: fc.constant('forceRelease'), name, isPermit: fc.boolean() }),
  release: fc.record({ step: fc.constant('release'), session, name, tag }),
  releaseAll: fc.record({ step: fc.constant('releaseAll'), session, tag: fc.option(tag, { nil: undefined }) }),
  cancel: fc.record({ step: fc.constant('cancel'), session, id }),
  cancelWaiting: fc.record({ step: fc.constant('cancelWaiting'), pick }),
  move: moveAtMost(1, 2, 100, 100),
  endSession: endSessionAtMost(Number.POSITIVE_INFINITY),
  goOn: goOnAtMost(1, 1, 2, 3),
  openSession: fc.constant({ step: 'openSession' }),
  inspect: fc.record({ step: fc.constant('inspect'), name, max: fc.constantFrom(1, 2, 100) }),
  drain: fc.constant({ step: 'drain' }),
  catchUp: fc.record({ step: fc.constant('catchUp'), max: fc.constantFrom(1, 1, 1, 2, 3, 5, 10, 50) }),
} satisfies Record<string, fc.Arbitrary<Step>>;
type Kind = keyof typeof KINDS;

/** Up to so many steps, some kinds more often than others. */
function sequence(
  maxLength: number,
  weights: Partial<Record<Kind | 'another', number>>,
  special: Partial<Record<Kind | 'another', fc.Arbitrary<Step>>> = {},
): fc.Arbitrary<Step[]> {
  const kinds: Partial<Record<string, fc.Arbitrary<Step>>> = { ...KINDS, ...special };
  const choices = Object.entries(weights).map(([kind, weight]) => ({
    weight,
    arbitrary: kinds[kind] as fc.Arbitrary<Step>,
  }));
  return fc.array(fc.oneof(...choices), { minLength: 1, maxLength, size: 'max' });
}

const PATIENT = { waitMs: Number.POSITIVE_INFINITY, leaseMs: undefined, steal: undefined };

/** The end of a session is finished at once. */
export const steps: fc.Arbitrary<Step[]> = sequence(60, {
  ...{ acquire: 270, acquireAll: 60, forceRelease: 5, release: 18, releaseClaim: 45, releaseAll: 12, cancel: 12 },
  ...{ cancelWaiting: 50, move: 48, endSession: 12, openSession: 18, inspect: 9, drain: 1 },
});

/** Everybody asks for one lock, and one owner asks for every lock, so that both outgrow the search without an index. */
export const crowdingSteps: fc.Arbitrary<Step[]> = sequence(
  200,
  { acquire: 40, another: 40, releaseClaim: 8, release: 8, cancelWaiting: 4, openSession: 4 },
  {
    acquire: acquire.map((step) => ({ ...step, ...PATIENT, name: 'a' })),
    another: fc
      .tuple(acquire, fc.constantFrom(...NAMES))
      .map(([step, name]) => ({ ...step, ...PATIENT, name, session: 0, tag: '' })),
  },
);

/** Sessions end in slices. */
export const slicedSteps: fc.Arbitrary<Step[]> = sequence(
  60,
  {
    ...{ acquire: 240, acquireAll: 60, forceRelease: 5, release: 18, releaseClaim: 40, releaseAll: 12 },
    ...{ cancelWaiting: 36, move: 36, endSession: 42, openSession: 60, goOn: 24, inspect: 12, drain: 1 },
  },
  { move: moveAtMost(Number.POSITIVE_INFINITY), endSession: endSessionAtMost(0, 0, 1, 2) },
);

/** Sessions end in slices while permits without limit that are asked for with other locks pass the waiters. */
export const slicedPassingSteps: fc.Arbitrary<Step[]> = sequence(
  40,
  {
    ...{ acquire: 60, acquireAll: 40, releaseClaim: 12, cancelWaiting: 4, endSession: 24 },
    ...{ openSession: 30, goOn: 6, inspect: 12 },
  },
  {
    acquire: fc
      .tuple(acquire, fc.constantFrom('a', 'a', 'b'), fc.constantFrom<LockMode>('exclusive', 'permit', 'permit'))
      .map(([step, name, mode]) => ({ ...step, ...PATIENT, name, mode })),
    acquireAll: fc
      .tuple(acquireAll, fc.constantFrom<'a' | 'b'>('a', 'b'), fc.constantFrom(undefined, undefined, undefined, 1, 2))
      .map(([step, name, limit]) => ({
        ...step,
        waitMs: Number.POSITIVE_INFINITY,
        locks: [{ name: 'a', mode: 'permit', limit }, { name, mode: 'exclusive', limit: undefined }, ...step.locks],
      })),
    endSession: endSessionAtMost(0, 0, 0, 1),
  },
);

const ENTANGLING = {
  acquire: 60,
  acquireAll: 12,
  releaseClaim: 10,
  cancelWaiting: 8,
  move: 4,
  endSession: 1,
  openSession: 2,
};
const ENTANGLED = {
  acquire: fc
    .tuple(acquire, fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('', 'x', 'x', 'x', 'x', 'y'))
    .map(([step, name, tag]) => ({ ...step, name, tag, leaseMs: undefined })),
  acquireAll: fc
    .tuple(acquireAll, fc.constantFrom('x', 'x', 'x', 'y'))
    .map(([step, tag]) => ({ ...step, tag, waitMs: Number.POSITIVE_INFINITY })),
  move: moveAtMost(1, 100),
};

/** Owners hold and wait in many places, so that they come to wait for each other. */
export const entanglingSteps: fc.Arbitrary<Step[]> = sequence(40, ENTANGLING, ENTANGLED);

/** The same while deadlocks are searched for in slices. */
export const searchingSteps: fc.Arbitrary<Step[]> = sequence(60, { ...ENTANGLING, catchUp: 60 }, ENTANGLED);

/** The same while everything else that takes long is done in slices, too. */
export const slicedSearchingSteps: fc.Arbitrary<Step[]> = sequence(
  60,
  { ...ENTANGLING, catchUp: 70, goOn: 10, forceRelease: 8, endSession: 3, another: 8 },
  {
    ...ENTANGLED,
    move: moveAtMost(1),
    goOn: goOnAtMost(1),
    endSession: endSessionAtMost(0, 1),
    another: acquire.map((step) => ({ ...step, mode: 'exclusive', steal: 'any', leaseMs: undefined })),
  },
);

/** Requests are answered in slices when others make room for them. */
export const lettingInSteps: fc.Arbitrary<Step[]> = sequence(
  60,
  {
    ...{ acquire: 240, acquireAll: 100, forceRelease: 5, release: 30, releaseClaim: 60, releaseAll: 6, catchUp: 40 },
    ...{ cancelWaiting: 36, move: 36, endSession: 12, openSession: 24, goOn: 12, inspect: 12, drain: 1 },
  },
  { move: moveAtMost(1), endSession: endSessionAtMost(0, 1), goOn: goOnAtMost(1) },
);
