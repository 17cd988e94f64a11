/** Timers for times of any length: the system's own wrap around after 24.8 days. */

import { whenAborted } from './abort-listeners.ts';

const LONGEST_DELAY_MS = 2 ** 31 - 1;

/**
 * Calls back after `delayMs`; `Infinity` means never. Returns a function that stops it. A timer in the background does
 * not keep the process alive.
 */
export function startTimeout(
  delayMs: number,
  callback: () => void,
  importance: 'foreground' | 'background' = 'foreground',
): () => void {
  if (delayMs === Number.POSITIVE_INFINITY) return () => {};
  if (delayMs > LONGEST_DELAY_MS) {
    const goOn = (): void => {
      stop = startTimeout(delayMs - LONGEST_DELAY_MS, callback, importance);
    };
    let stop = startTimeout(LONGEST_DELAY_MS, goOn, importance);
    return () => stop();
  }
  const timer = setTimeout(callback, Math.ceil(delayMs));
  // A browser's timers are numbers.
  if (importance === 'background' && typeof timer === 'object') timer.unref();
  return () => clearTimeout(timer);
}

/** Resolves after `delayMs`, or as soon as one of the signals has aborted. */
export function pause(delayMs: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      for (const stop of stops) stop();
      resolve();
    };
    const stops = [startTimeout(delayMs, finish), ...signals.map((signal) => whenAborted(signal, finish))];
    if (signals.some((signal) => signal?.aborted)) finish();
  });
}
