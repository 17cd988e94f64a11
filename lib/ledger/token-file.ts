/** The file with the lineage and the greatest token that may have been given. */

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerReport } from './ledger.ts';
import { LedgerError } from './ledger-error.ts';
import { headerLine, readRecords, toLine } from './records.ts';
import type { StateDirectory, StateFiles } from './state-directory.ts';
import { Trouble } from './trouble.ts';

const NAME = 'tokens';
const RETRY_MS = 1_000;

/** What the file says. */
export interface ReservedTokens {
  readonly lineage: string;
  readonly reserved: number;
  /** The run that wrote it. */
  readonly run: unknown;
}

/** Reads the file; undefined if there is none. @throws LedgerError when it is damaged. */
export function readTokens(directory: StateFiles): ReservedTokens | undefined {
  const text = directory.read(NAME);
  if (text === undefined) return undefined;
  const path = directory.pathOf(NAME);
  const { lineage, records } = readRecords('tokens', path, text, false);
  const { reserved, run } = records[0] ?? {};
  if (Number.isSafeInteger(reserved)) return { lineage, reserved: reserved as number, run };
  throw new LedgerError('unreadable', `${path}: line 2 does not tell the reserved tokens`);
}

/** Records reservations. */
export class TokenFile {
  /** Another one for each start. */
  readonly run: string = randomUUID();
  readonly #directory: StateDirectory;
  readonly #lineage: string;
  readonly #report: LedgerReport;
  readonly #trouble: Trouble;
  #state: 'open' | 'closed' = 'open';
  #writing: Promise<void> = Promise.resolve();

  constructor(directory: StateDirectory, lineage: string, report: LedgerReport) {
    this.#directory = directory;
    this.#lineage = lineage;
    this.#report = report;
    this.#trouble = new Trouble(
      report,
      'the state directory',
      'locks are granted until the reserved tokens are used up',
    );
  }

  /** Rejects with the system's error or a `LedgerError`. */
  write(reserved: number): Promise<void> {
    const text = headerLine('tokens', this.#lineage) + toLine({ reserved, run: this.run });
    this.#writing = this.#directory.replace(NAME, text);
    return this.#writing;
  }

  /** Resolves once it is recorded, however many attempts that takes. */
  async reserve(upTo: number): Promise<void> {
    while (!(await this.#isWritten(upTo))) await delay(RETRY_MS, undefined, { ref: false });
  }

  /** No further attempts; resolves when the last is over. */
  async close(): Promise<void> {
    this.#state = 'closed';
    await this.#writing.catch(() => {});
  }

  async #isWritten(reserved: number): Promise<boolean> {
    if (this.#state === 'closed') return await never();
    try {
      await this.write(reserved);
      this.#trouble.over();
      return true;
    } catch (error) {
      // L1: a failed sync ends the process. Where nothing was written the old reservation stands, so it is tried again.
      if (error instanceof LedgerError && error.code === 'sync') {
        this.#report.fail(error);
        return await never();
      }
      this.#trouble.failed(error);
      return false;
    }
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}
