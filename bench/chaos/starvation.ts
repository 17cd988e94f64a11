/**
 * Looks for processes that wait for a processor: on a busy machine that is a fault that nobody injected. Linux only; elsewhere
 * nothing is found.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { nowMs } from './messages.ts';

const EVERY_MS = 250;
/** Shorter ones delay nobody by much. */
const LEAST_MS = 150;
const NANOSECONDS_A_MS = 1e6;

/** The time that a process has waited for a processor so far, in milliseconds. */
function waitedMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')[1]) / NANOSECONDS_A_MS;
  } catch {
    return Number.NaN;
  }
}

/** Calls back with each time that a process has waited for long, until the signal aborts. */
export async function watchStarvation<Name>(
  signal: AbortSignal,
  /** The processes that run at this moment. */
  list: () => Iterable<readonly [Name, number | undefined]>,
  found: (name: Name, fromMs: number, untilMs: number) => void,
  /** Called when all that was starved until then is found. */
  looked: (atMs: number) => void,
): Promise<void> {
  const before = new Map<number, number>();
  let lastMs = nowMs();
  while (!signal.aborted) {
    await pause(EVERY_MS, undefined, { signal }).catch(() => {});
    const atMs = nowMs();
    for (const [name, pid = 0] of list()) {
      const waited = waitedMs(pid);
      const starvedMs = waited - (before.get(pid) ?? waited);
      before.set(pid, waited);
      // What it waited for may have begun before.
      if (starvedMs >= LEAST_MS) found(name, Math.min(lastMs, atMs - starvedMs), atMs);
    }
    lastMs = atMs;
    looked(atMs);
  }
}
