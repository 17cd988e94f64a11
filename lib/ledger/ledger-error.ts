/** Why a ledger cannot be used. */

/**
 * `taken`: another server has the directory. `unreadable`: a file in it is damaged. `unusable`: it cannot be made or written.
 * `sync`: the disk did not confirm what was written.
 */
export type LedgerErrorCode = 'taken' | 'unreadable' | 'unusable' | 'sync';

/** The message names the file and is one line for people. */
export class LedgerError extends Error {
  override readonly name: string = 'LedgerError';
  readonly code: LedgerErrorCode;

  constructor(code: LedgerErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
