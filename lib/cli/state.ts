/** Opens the state directory of a server program. */

import { writeSync } from 'node:fs';
import { openFileLedger } from '../ledger/file-ledger.ts';
import type { Ledger, LedgerReport } from '../ledger/ledger.ts';
import type { LedgerError } from '../ledger/ledger-error.ts';
import type { Logger } from '../message/logger.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { withAccount } from './privileges.ts';
import type { Settings } from './settings.ts';

const STDERR = 2;
/** pino's level for errors that end a process. */
const FATAL = 60;

/** Undefined without a state directory. Rejects with a `LedgerError`, a RangeError of the clock, or an Error of `user`. */
export async function openState(settings: Settings, logger: Logger, isForced: boolean): Promise<Ledger | undefined> {
  const { stateDirectory: directory } = settings;
  if (directory === '') return undefined;
  const report = ledgerReport(logger);
  // The files must belong to the user that the server becomes, since it must write them then.
  return await withAccount(settings, () => openFileLedger({ directory, nowMs: Date.now(), report, isForced }));
}

/** Tells the log of a ledger's troubles, and ends the process when nobody knows what was written. */
export function ledgerReport(logger: Logger): LedgerReport {
  return { tell: (level, message) => logger[level]({}, message), fail: endProcess };
}

/** For people, with the way out if there is one. */
export function explainStateError(error: LedgerError): string {
  if (error.code !== 'unreadable') return error.message;
  return `${error.message}; --state-force starts with what can be read: sessions that cannot lose their locks`;
}

/** L1: ends at once, so that nothing is answered that the disk may not have. */
function endProcess(error: Error): never {
  try {
    writeSync(STDERR, `${JSON.stringify({ level: FATAL, time: Date.now(), msg: error.message })}\n`);
  } catch {
    // Nobody reads it.
  }
  process.exit(EXIT_CODES.stateLost);
}
