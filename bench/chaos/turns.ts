/** Whether waiters were served in the order of their requests. */

import type { Call } from './history.ts';

/** Requests of different processes arrive in the order in which they were made if so much is between them. */
const APART_MS = 1_000;
/** A waiter that was granted a lock before learns of it within this time. */
const LEARN_MS = 500;

/** Pairs of calls of which the second, made later, was granted while the first still waited for the same lock. */
export function* overtakings(
  calls: readonly Call[],
  /** Whether nothing hurt the client within some time. */
  isCalm: (client: number, fromMs: number, untilMs: number) => boolean,
): Generator<readonly [Call, Call]> {
  const byLock = new Map<string, Call[]>();
  for (const call of [...calls].sort((a, b) => a.fromMs - b.fromMs)) {
    if (call.lock === undefined) continue;
    const key = call.lock.mode === 'permit' ? `permit ${call.lock.name}` : call.lock.name;
    const isOver = ({ fromMs, waitMs, endMs = fromMs + waitMs }: Call): boolean => endMs < call.fromMs;
    const waiting = (byLock.get(key) ?? []).filter((earlier) => !isOver(earlier));
    byLock.set(key, [...waiting, call]);
    if (call.outcome !== 'granted') continue;
    const untilMs = (call.endMs as number) + LEARN_MS;
    const passed = waiting.find(
      ({ client, fromMs, waitMs, endMs = untilMs }) =>
        fromMs < call.fromMs - APART_MS &&
        endMs >= untilMs &&
        fromMs + waitMs > untilMs &&
        isCalm(client, fromMs, untilMs),
    );
    if (passed !== undefined) yield [passed, call];
  }
}
