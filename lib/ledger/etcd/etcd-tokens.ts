/** The key with the greatest token that may have been given. */

import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerReport } from '../ledger.ts';
import { Trouble } from '../trouble.ts';
import type { Operation } from './etcd-values.ts';
import type { LeaderWrites } from './leader-writes.ts';

const RETRY_MS = 1_000;

/** The operation that reserves tokens for the leader of an epoch. */
export function reservation(key: string, reserved: number, epoch: number): Operation {
  return { kind: 'put', key, value: JSON.stringify({ reserved, epoch }) };
}

/** Records reservations. */
export class EtcdTokens {
  readonly #writes: LeaderWrites;
  readonly #makeOperation: (reserved: number) => Operation;
  readonly #trouble: Trouble;
  #state: 'open' | 'closed' = 'open';

  constructor(writes: LeaderWrites, makeOperation: (reserved: number) => Operation, report: LedgerReport) {
    this.#writes = writes;
    this.#makeOperation = makeOperation;
    this.#trouble = new Trouble(report, 'etcd', 'locks are granted until the reserved tokens are used up');
  }

  /** Resolves once it is recorded, however many attempts that takes. C4: never resolves when this server does not lead. */
  async reserve(upTo: number): Promise<void> {
    while (this.#state === 'open') {
      try {
        await this.#writes.write([this.#makeOperation(upTo)]);
        this.#trouble.over();
        return;
      } catch (error) {
        this.#trouble.failed(error);
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
    await new Promise(() => {});
  }

  /** No further attempts. */
  close(): void {
    this.#state = 'closed';
  }
}
