/** What can be done to a lock table, as plain values that fast-check makes up and shrinks. */

import fc from 'fast-check';
import type { TableLimits } from '../../lib/locks/types.ts';
import type { LockMode, RequestId } from '../../lib/protocol.ts';

/** Sessions are meant by their place among the live ones, claims and waits by their place among all that there are. */
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
  | { readonly step: 'continueEnd'; readonly pick: number; readonly max: number };

export interface AcquireStep {
  readonly step: 'acquire';
  readonly session: number;
  readonly name: string;
  readonly mode: LockMode;
  readonly limit: number | undefined;
  readonly tag: string;
  readonly waitMs: number;
  readonly leaseMs: number | undefined;
  readonly steal: 'stealable' | 'any' | undefined;
  readonly isStealable: boolean | undefined;
  readonly id: RequestId | undefined;
}

export interface AcquireAllStep {
  readonly step: 'acquireAll';
  readonly session: number;
  readonly locks: readonly { readonly name: string; readonly mode: LockMode; readonly limit: number | undefined }[];
  readonly tag: string;
  readonly waitMs: number;
  readonly leaseMs: number | undefined;
  readonly id: RequestId | undefined;
}

/** Which keys a release gives, taken from a claim that exists. */
export type Key = 'name' | 'mode' | 'tag' | 'token';

/** What of a release is made not to fit. */
export type Wrong = 'nothing' | 'session' | Key;

/** Names come last to first, to show that the order is the one given to the table. */
export function lastNameFirst(a: string, b: string): number {
  if (a === b) return 0;
  return a > b ? -1 : 1;
}

export const NO_LIMITS: TableLimits = {
  maxLocks: 1000,
  maxLocksPerSession: 1000,
  maxWaitersPerLock: 1000,
  maxLocksPerRequest: 1000,
};

/** Few enough of everything that limits are met. */
export const TIGHT_LIMITS: TableLimits = {
  maxLocks: 4,
  maxLocksPerSession: 5,
  maxWaitersPerLock: 3,
  maxLocksPerRequest: 2,
};

/** Every name that a step can ask for. */
export const NAMES: readonly string[] = ['a', 'ab', 'b', 'c', 'd', 'e', 'f', 'g'];

/** Most requests are for the same name, so that its queue grows. */
const name = fc.constantFrom('a', 'a', 'a', 'a', 'ab', 'b');
const tag = fc.constantFrom('', '', 'x', 'y');
const session = fc.integer({ min: 0, max: 3 });
const pick = fc.integer({ min: 0, max: 30 });
const id = fc.constantFrom<RequestId>(0, 1, 2, 3, 4, '1', '2');

const acquire: fc.Arbitrary<AcquireStep> = fc.record({
  step: fc.constant('acquire'),
  session,
  name,
  mode: fc.constantFrom<LockMode>('exclusive', 'exclusive', 'shared', 'shared', 'shared', 'permit', 'permit', 'permit'),
  limit: fc.constantFrom(undefined, 1, 1, 2, 2, 2, 3),
  tag,
  waitMs: fc.constantFrom(0, 2, 5, 5, ...Array(4).fill(Number.POSITIVE_INFINITY)),
  leaseMs: fc.constantFrom(...Array(8).fill(undefined), 1, 2, 5),
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
  waitMs: fc.constantFrom(0, 2, 5, 5, ...Array(4).fill(Number.POSITIVE_INFINITY)),
  leaseMs: fc.constantFrom(...Array(8).fill(undefined), 1, 2, 5),
  id: fc.option(id, { nil: undefined, freq: 6 }),
});

const forceRelease: fc.Arbitrary<Step> = fc.record({
  step: fc.constant('forceRelease'),
  name,
  isPermit: fc.boolean(),
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

function moveAtMost(max: fc.Arbitrary<number>): fc.Arbitrary<Step> {
  return fc.record({ step: fc.constant('move'), byMs: fc.constantFrom(0, 1, 1, 2, 3), max });
}

function endSessionAtMost(max: fc.Arbitrary<number>): fc.Arbitrary<Step> {
  return fc.record({ step: fc.constant('endSession'), session, max });
}

const release: fc.Arbitrary<Step> = fc.record({ step: fc.constant('release'), session, name, tag });
const releaseAll: fc.Arbitrary<Step> = fc.record({
  step: fc.constant('releaseAll'),
  session,
  tag: fc.option(tag, { nil: undefined }),
});
const cancel: fc.Arbitrary<Step> = fc.record({ step: fc.constant('cancel'), session, id });
const cancelWaiting: fc.Arbitrary<Step> = fc.record({ step: fc.constant('cancelWaiting'), pick });
const openSession: fc.Arbitrary<Step> = fc.constant({ step: 'openSession' });
const inspect: fc.Arbitrary<Step> = fc.record({
  step: fc.constant('inspect'),
  name,
  max: fc.constantFrom(1, 2, 100),
});
const drain: fc.Arbitrary<Step> = fc.constant({ step: 'drain' });
const continueEnd: fc.Arbitrary<Step> = fc.record({
  step: fc.constant('continueEnd'),
  pick,
  max: fc.constantFrom(1, 1, 2, 3),
});

const PATIENT = { waitMs: Number.POSITIVE_INFINITY, leaseMs: undefined, steal: undefined };

function sequence(choices: fc.WeightedArbitrary<Step>[], maxLength: number): fc.Arbitrary<Step[]> {
  return fc.array(fc.oneof(...choices), { minLength: 1, maxLength, size: 'max' });
}

/** Every session's end is finished at once. */
export const steps: fc.Arbitrary<Step[]> = sequence(
  [
    { weight: 270, arbitrary: acquire },
    { weight: 60, arbitrary: acquireAll },
    { weight: 5, arbitrary: forceRelease },
    { weight: 18, arbitrary: release },
    { weight: 45, arbitrary: releaseClaim },
    { weight: 12, arbitrary: releaseAll },
    { weight: 12, arbitrary: cancel },
    { weight: 50, arbitrary: cancelWaiting },
    { weight: 48, arbitrary: moveAtMost(fc.constantFrom(1, 2, 100, 100)) },
    { weight: 12, arbitrary: endSessionAtMost(fc.constant(Number.POSITIVE_INFINITY)) },
    { weight: 18, arbitrary: openSession },
    { weight: 9, arbitrary: inspect },
    { weight: 1, arbitrary: drain },
  ],
  60,
);

/**
 * Everybody asks for one lock and one owner asks for every lock, so that both outgrow what is searched without an
 * index.
 */
export const crowdingSteps: fc.Arbitrary<Step[]> = sequence(
  [
    { weight: 40, arbitrary: acquire.map((step) => ({ ...step, ...PATIENT, name: 'a' })) },
    {
      weight: 40,
      arbitrary: fc
        .tuple(acquire, fc.constantFrom(...NAMES))
        .map(([step, name]) => ({ ...step, ...PATIENT, name, session: 0, tag: '' })),
    },
    { weight: 8, arbitrary: releaseClaim },
    { weight: 8, arbitrary: release },
    { weight: 4, arbitrary: cancelWaiting },
    { weight: 4, arbitrary: openSession },
  ],
  200,
);

/** Sessions end in slices. */
export const slicedSteps: fc.Arbitrary<Step[]> = sequence(
  [
    { weight: 240, arbitrary: acquire },
    { weight: 60, arbitrary: acquireAll },
    { weight: 5, arbitrary: forceRelease },
    { weight: 18, arbitrary: release },
    { weight: 40, arbitrary: releaseClaim },
    { weight: 12, arbitrary: releaseAll },
    { weight: 36, arbitrary: cancelWaiting },
    { weight: 36, arbitrary: moveAtMost(fc.constant(Number.POSITIVE_INFINITY)) },
    { weight: 42, arbitrary: endSessionAtMost(fc.constantFrom(0, 0, 1, 2)) },
    { weight: 60, arbitrary: openSession },
    { weight: 24, arbitrary: continueEnd },
    { weight: 12, arbitrary: inspect },
    { weight: 1, arbitrary: drain },
  ],
  60,
);

/** Sessions end in slices while permits without limit that are asked for with other locks pass those who wait. */
export const slicedPassingSteps: fc.Arbitrary<Step[]> = sequence(
  [
    {
      weight: 60,
      arbitrary: fc
        .tuple(acquire, fc.constantFrom('a', 'a', 'b'), fc.constantFrom<LockMode>('exclusive', 'permit', 'permit'))
        .map(([step, name, mode]) => ({ ...step, ...PATIENT, name, mode })),
    },
    {
      weight: 40,
      arbitrary: fc
        .tuple(acquireAll, fc.constantFrom<'a' | 'b'>('a', 'b'), fc.constantFrom(undefined, undefined, undefined, 1, 2))
        .map(([step, name, limit]) => ({
          ...step,
          waitMs: Number.POSITIVE_INFINITY,
          locks: [{ name: 'a', mode: 'permit', limit }, { name, mode: 'exclusive', limit: undefined }, ...step.locks],
        })),
    },
    { weight: 12, arbitrary: releaseClaim },
    { weight: 4, arbitrary: cancelWaiting },
    { weight: 24, arbitrary: endSessionAtMost(fc.constantFrom(0, 0, 0, 1)) },
    { weight: 30, arbitrary: openSession },
    { weight: 6, arbitrary: continueEnd },
    { weight: 12, arbitrary: inspect },
  ],
  40,
);

/** Owners that hold and wait in many places, so that they come to wait for each other. */
export const entanglingSteps: fc.Arbitrary<Step[]> = sequence(
  [
    {
      weight: 60,
      arbitrary: fc
        .tuple(acquire, fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('', 'x', 'x', 'x', 'x', 'y'))
        .map(([step, name, tag]) => ({ ...step, name, tag, leaseMs: undefined })),
    },
    {
      weight: 12,
      arbitrary: fc
        .tuple(acquireAll, fc.constantFrom('x', 'x', 'x', 'y'))
        .map(([step, tag]) => ({ ...step, tag, waitMs: Number.POSITIVE_INFINITY })),
    },
    { weight: 10, arbitrary: releaseClaim },
    { weight: 8, arbitrary: cancelWaiting },
    { weight: 4, arbitrary: moveAtMost(fc.constantFrom(1, 100)) },
    { weight: 1, arbitrary: endSessionAtMost(fc.constant(Number.POSITIVE_INFINITY)) },
    { weight: 2, arbitrary: openSession },
  ],
  40,
);
