/** All that a ledger keeps, on its way to a ledger of another kind. */

import type { EarlierSession, Ledger, LedgerReport } from './ledger.ts';
import { LedgerError } from './ledger-error.ts';

export interface LedgerContents {
  readonly lineage: string;
  /** No token that was given is greater. */
  readonly reserved: number;
  readonly sessions: readonly EarlierSession[];
  /** The locks of a planned stop; undefined if there are none. */
  readonly stop: unknown;
}

/**
 * Resolves to what a ledger has that was just opened. What a planned stop has saved is removed from it, so save that again if it gets
 * nowhere. Rejects as `SavedStop.take` does, but goes on without the locks of a stop that are damaged.
 */
export async function takeContents(ledger: Ledger, report: LedgerReport): Promise<LedgerContents> {
  const { lineage, tokens, sessions } = ledger;
  return { lineage, reserved: tokens.begin, sessions: sessions.atStart, stop: await takeStop(ledger, report) };
}

async function takeStop({ savedStop }: Ledger, report: LedgerReport): Promise<unknown> {
  try {
    return await savedStop.take();
  } catch (error) {
    if (!(error instanceof LedgerError) || error.code !== 'unreadable') throw error;
    report.tell('warn', `${error.message}; clients have to tell what they hold`);
    return undefined;
  }
}
