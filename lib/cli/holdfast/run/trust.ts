/** Tells when the server may soon give the lock to another, early enough to stop the command before. */

import { elapsedMs, thisMoment } from '../../../message/moment.ts';

const MARGIN_SHARE = 0.1;
const LEAST_MARGIN_MS = 1_000;
const ASKED_A_TIMEOUT = 6;
const TICK_MS = 250;
/** A program that was paused gets so long to ask the server. */
const LAST_ANSWER_MS = 1_000;

/** What can be asked whether its lock is held. */
export interface Confirmable {
  confirm(): Promise<boolean>;
}

/**
 * Milliseconds without an answer after which the command must be told to stop, so that it is gone before the time-out of the session
 * is over: not above 0 when there is no time.
 */
export function trustedMs(timeoutMs: number, killAfterMs: number): number {
  return timeoutMs - killAfterMs - Math.max(LEAST_MARGIN_MS, timeoutMs * MARGIN_SHARE) - LAST_ANSWER_MS;
}

/** Asks the server again and again; calls back once when it has not answered for so long. Returns a function that stops it. */
export function watchTrust(held: Confirmable, timeoutMs: number, forMs: number, over: () => void): () => void {
  let confirmed = thisMoment();
  let isAsking = false;
  let overdueSince: number | undefined;
  const ask = async (): Promise<void> => {
    const sent = thisMoment();
    isAsking = true;
    if (await held.confirm()) {
      confirmed = sent;
      overdueSince = undefined;
    }
    isAsking = false;
  };
  const timer = setInterval(() => {
    const sinceMs = elapsedMs(confirmed);
    if (!isAsking && sinceMs > Math.min(forMs / 2, timeoutMs / ASKED_A_TIMEOUT)) void ask();
    if (sinceMs <= forMs) return;
    overdueSince ??= performance.now();
    if (performance.now() - overdueSince < LAST_ANSWER_MS) return;
    clearInterval(timer);
    over();
  }, TICK_MS);
  return () => clearInterval(timer);
}
