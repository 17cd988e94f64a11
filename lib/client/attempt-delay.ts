/** Delays attempts to connect with full jitter: by any time up to a bound that doubles, so that many clients do not come at once. */

import { startTimeout } from '../message/timeout.ts';

const DEFAULT_MIN_DELAY_MS = 100;
const DEFAULT_MAX_DELAY_MS = 10_000;
/** A server that is down must not be asked a thousand times a second. */
const LEAST_DELAY_MS = 10;

/** All times are milliseconds. */
interface AttemptDelayOptions {
  readonly minDelayMs?: number | undefined;
  readonly maxDelayMs?: number | undefined;
}

export class AttemptDelay {
  readonly #options: AttemptDelayOptions;
  readonly #attempt: () => void;
  /** When the attempt is made that is delayed now, and what stops that. */
  #endMs = 0;
  #stop: (() => void) | undefined;
  /** Attempts that failed since the last good connection. Set it to 0 after one. */
  failures = 0;
  #importance: 'foreground' | 'background' = 'foreground';

  constructor(options: AttemptDelayOptions, attempt: () => void) {
    this.#options = options;
    this.#attempt = attempt;
  }

  /** Makes the next attempt, after at most so long. */
  begin(mostMs: number): void {
    const { minDelayMs = DEFAULT_MIN_DELAY_MS, maxDelayMs = DEFAULT_MAX_DELAY_MS } = this.#options;
    const bound = Math.min(maxDelayMs, mostMs, Math.max(minDelayMs, LEAST_DELAY_MS) * 2 ** this.failures);
    this.failures += 1;
    this.#endMs = performance.now() + Math.max(LEAST_DELAY_MS, Math.random() * bound);
    this.#start();
  }

  /** Returns whether an attempt was delayed. */
  stop(): boolean {
    const wasRunning = this.#stop !== undefined;
    this.#stop?.();
    this.#stop = undefined;
    return wasRunning;
  }

  /** Whether waiting for the next attempt keeps the process alive. */
  setReferenced(isReferenced: boolean): void {
    this.#importance = isReferenced ? 'foreground' : 'background';
    if (this.stop()) this.#start();
  }

  #start(): void {
    const attempt = (): void => {
      this.#stop = undefined;
      this.#attempt();
    };
    this.#stop = startTimeout(Math.max(0, this.#endMs - performance.now()), attempt, this.#importance);
  }
}
