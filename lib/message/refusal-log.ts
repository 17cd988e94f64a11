/** Reports refused connections without letting those who are refused fill the log. */

import type { Logger } from './logger.ts';

const QUIET_MS = 60_000;
const MAX_ADDRESSES = 1_000;

/** At most one line a minute for each address, and for up to a thousand addresses. */
export class RefusalLog {
  readonly #logger: Logger;
  /** When an address was last reported, and how often it was refused since; in the order of the reports. */
  readonly #reports = new Map<string, { atMs: number; silent: number }>();
  #excess: { atMs: number; silent: number } | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The allow-list closed a connection from that address. */
  report(address: string): void {
    const nowMs = performance.now();
    const last = this.#reports.get(address);
    if (last !== undefined && nowMs - last.atMs < QUIET_MS) {
      last.silent += 1;
      return;
    }
    this.#makeRoom(nowMs);
    if (this.#reports.size >= MAX_ADDRESSES) return;
    this.#reports.delete(address);
    this.#reports.set(address, { atMs: nowMs, silent: 0 });
    this.#logger.warn(
      { address, silent: last?.silent ?? 0 },
      `refused a connection from ${address}; to allow it, add "${address}" to "allowed" in the settings`,
    );
  }

  /** A connection was closed because there are `maxConnections` already. */
  reportExcess(maxConnections: number): void {
    const nowMs = performance.now();
    if (this.#excess !== undefined && nowMs - this.#excess.atMs < QUIET_MS) {
      this.#excess.silent += 1;
      return;
    }
    this.#logger.warn(
      { silent: this.#excess?.silent ?? 0 },
      `refused a connection: there are maxConnections, ${maxConnections}`,
    );
    this.#excess = { atMs: nowMs, silent: 0 };
  }

  #makeRoom(nowMs: number): void {
    for (const [address, { atMs }] of this.#reports) {
      if (this.#reports.size < MAX_ADDRESSES || nowMs - atMs < QUIET_MS) return;
      this.#reports.delete(address);
    }
  }
}
