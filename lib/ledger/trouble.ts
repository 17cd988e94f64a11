/** Logs a row of failures once, and its end. */

import type { LedgerReport } from './ledger.ts';

export class Trouble {
  readonly #report: LedgerReport;
  /** Where it cannot write. */
  readonly #place: string;
  /** What goes wrong meanwhile, and what is well again. */
  readonly #consequence: string;
  #state: 'none' | 'failing' = 'none';

  constructor(report: LedgerReport, place: 'the state directory' | 'etcd', consequence: string) {
    this.#report = report;
    this.#place = place;
    this.#consequence = consequence;
  }

  failed(error: unknown): void {
    if (this.#state === 'failing') return;
    this.#state = 'failing';
    this.#report.tell('error', `${this.#place} cannot be written: ${(error as Error).message}; ${this.#consequence}`);
  }

  over(): void {
    if (this.#state === 'none') return;
    this.#state = 'none';
    this.#report.tell('info', `${this.#place} can be written again`);
  }
}
