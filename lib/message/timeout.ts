/** One timer for times of any length: the system's own wrap around after 24.8 days. */

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
  let remainingMs = delayMs;
  let timer: ReturnType<typeof setTimeout>;
  const arm = (): void => {
    const armedMs = Math.min(remainingMs, LONGEST_DELAY_MS);
    remainingMs -= armedMs;
    timer = setTimeout(() => (remainingMs > 0 ? arm() : callback()), Math.ceil(armedMs));
    // A browser's timers are numbers.
    if (importance === 'background' && typeof timer === 'object') timer.unref();
  };
  arm();
  return () => clearTimeout(timer);
}
