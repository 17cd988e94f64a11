/** The load of `holdfast bench`: clients that lock and unlock as fast as the server answers. */

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { LockClient } from '../../../client/lock-client.ts';

const MICROSECONDS_A_MS = 1_000;

/** What to do. */
export interface LoadOptions {
  readonly clients: readonly LockClient[];
  /** How many locks each client asks for at the same time. */
  readonly depth: number;
  /** The names are this and a number, from 0 to below `names`. */
  readonly prefix: string;
  readonly names: number;
}

/** Pairs of lock and unlock, and how long each lock took, in microseconds. */
export interface Measured {
  pairs: number;
  readonly lock: RecordableHistogram;
  /** From the beginning of a release to the grant of the next who waited, in microseconds; none where nobody waits. */
  readonly handoff: RecordableHistogram;
}

/** Runs until the signal aborts, and counts from when `measure` was called last. */
export class Load {
  readonly #options: LoadOptions;
  #measured: Measured = emptyMeasured();
  /** When the release of a name began. */
  readonly #releasedMs = new Map<string, number>();
  #turn = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Resolves when all locks are free again. Rejects as the clients do. */
  async run(signal: AbortSignal): Promise<void> {
    const { clients, depth } = this.#options;
    const lanes = clients.flatMap((client) => Array.from({ length: depth }, (_, lane) => ({ client, lane })));
    await Promise.all(lanes.map(({ client, lane }) => this.#lockAndUnlock(client, `lane ${lane}`, signal)));
  }

  /** Begins to count anew; returns what was counted so far. */
  measure(): Measured {
    const measured = this.#measured;
    this.#measured = emptyMeasured();
    return measured;
  }

  /** Of one client, each lane is an owner of its own. */
  async #lockAndUnlock(client: LockClient, owner: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { prefix, names } = this.#options;
      this.#turn += 1;
      const name = `${prefix}${this.#turn % names}`;
      const askedMs = performance.now();
      const handle = await client.lock(name, { owner });
      this.#record(name, askedMs);
      await handle.release();
      this.#measured.pairs += 1;
    }
  }

  /** A lock was granted, and is released at once. One that was asked for before its last release has waited for that. */
  #record(name: string, askedMs: number): void {
    const nowMs = performance.now();
    const { lock, handoff } = this.#measured;
    const releasedMs = this.#releasedMs.get(name) ?? 0;
    record(lock, nowMs - askedMs);
    if (releasedMs > askedMs) record(handoff, nowMs - releasedMs);
    this.#releasedMs.set(name, nowMs);
  }
}

function emptyMeasured(): Measured {
  return { pairs: 0, lock: createHistogram(), handoff: createHistogram() };
}

function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * MICROSECONDS_A_MS)));
}
