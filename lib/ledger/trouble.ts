/** Logs a row of failures once, and its end. */

import type { LedgerReport } from './ledger.ts';

export class Trouble {
  readonly #report: LedgerReport;
  /** What goes wrong meanwhile, and what is well again. */
  readonly #consequence: string;
  #state: 'none' | 'failing' = 'none';

  constructor(report: LedgerReport, consequence: string) {
    this.#report = report;
    this.#consequence = consequence;
  }

  failed(error: unknown): void {
    if (this.#state === 'failing') return;
    this.#state = 'failing';
    this.#report.tell(
      'error',
      `the state directory cannot be written: ${(error as Error).message}; ${this.#consequence}`,
    );
  }

  over(): void {
    if (this.#state === 'none') return;
    this.#state = 'none';
    this.#report.tell('info', 'the state directory can be written again');
  }
}
