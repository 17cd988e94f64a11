/** Warnings about what others do, without letting them fill the log. */

import type { Logger } from './logger.ts';

const QUIET_MS = 60_000;
const MAX_KEYS = 1_000;

/** At most one line a minute for each key, and for up to a thousand keys. */
export class QuietLog {
  readonly #logger: Logger;
  /** When a key was last reported, and how often it was silenced since; in the order of the reports. */
  readonly #reports = new Map<string, { atMs: number; silenced: number }>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Warns, unless the same key was reported within the last minute; then it is counted and told with the next. */
  warn(key: string, message: string): void {
    const nowMs = performance.now();
    const last = this.#reports.get(key);
    if (last !== undefined && nowMs - last.atMs < QUIET_MS) {
      last.silenced += 1;
      return;
    }
    this.#makeRoom(nowMs);
    if (this.#reports.size >= MAX_KEYS) return;
    this.#reports.delete(key);
    this.#reports.set(key, { atMs: nowMs, silenced: 0 });
    this.#logger.warn({ silenced: last?.silenced ?? 0 }, message);
  }

  #makeRoom(nowMs: number): void {
    for (const [key, { atMs }] of this.#reports) {
      if (this.#reports.size < MAX_KEYS || nowMs - atMs < QUIET_MS) return;
      this.#reports.delete(key);
    }
  }
}
