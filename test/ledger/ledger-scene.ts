/** Ledgers in a folder of the test. */

import { type FileLedgerOptions, openFileLedger } from '../../lib/ledger/file-ledger.ts';
import type { Ledger, LedgerReport, SessionRecord } from '../../lib/ledger/ledger.ts';
import { whenTestEnds } from '../server/clean-up.ts';

/** Remembers what a ledger tells. */
export class RecordingReport implements LedgerReport {
  readonly told: string[] = [];
  readonly failures: Error[] = [];

  tell(level: string, message: string): void {
    this.told.push(`${level}: ${message}`);
  }

  fail(error: Error): void {
    this.failures.push(error);
  }
}

export const CLOCK: number = Date.UTC(2026, 0);

/** Opens the ledger of a folder, in January 2026 by its clock. It is closed when the test ends, if it was not before. */
export async function openLedger(
  directory: string,
  options: Partial<FileLedgerOptions> = {},
): Promise<Ledger & { readonly closeOnce: () => Promise<void> }> {
  const ledger = await openFileLedger({ directory, nowMs: CLOCK, report: new RecordingReport(), ...options });
  let closing: Promise<void> | undefined;
  const closeOnce = (): Promise<void> => {
    closing ??= ledger.close();
    return closing;
  };
  whenTestEnds(closeOnce);
  return Object.assign(ledger, { closeOnce });
}

/** Gives that many tokens and returns the last. */
export function take(ledger: Ledger, count: number): number {
  for (let taken = 1; taken < count; taken += 1) ledger.tokens.next();
  return ledger.tokens.next();
}

export function session(id: string): SessionRecord {
  return { id, secretHash: `hash of ${id}`, timeoutMs: 20_000 };
}

/** The ids of the sessions that the last run left. */
export function idsAtStart(ledger: Ledger): string[] {
  return ledger.sessions.atStart.map(({ id }) => id);
}
