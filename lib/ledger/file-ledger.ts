/** A ledger in a state directory: see docs/operations.md for its files. */

import { randomUUID } from 'node:crypto';
import { copyFile, rename } from 'node:fs/promises';
import { tokenAt } from './clock-tokens.ts';
import type { Ledger, LedgerReport, SavedStop, TokenSupply } from './ledger.ts';
import { LedgerError } from './ledger-error.ts';
import { ListedSessions } from './listed-sessions.ts';
import { type ReadSessions, readSessions, SessionFile } from './session-file.ts';
import { SessionQueue } from './session-queue.ts';
import { StateDirectory, StateFiles } from './state-directory.ts';
import { StopFile } from './stop-file.ts';
import { TokenBlock } from './token-block.ts';
import { type ReservedTokens, readTokens, TokenFile } from './token-file.ts';

/** Half of it is enough for many seconds of grants without a word from the disk. */
const BLOCK_SIZE = 2 ** 22;
/** The file of the tokens of a directory whose ledger has gone into a cluster: two may not go on with one lineage. */
const MOVED_TOKENS = 'tokens.moved';

export interface FileLedgerOptions {
  readonly directory: string;
  /** The wall clock. */
  readonly nowMs: number;
  readonly report: LedgerReport;
  /** Starts although files are damaged, with what can be read. */
  readonly isForced?: boolean;
  /** How many tokens to reserve ahead. */
  readonly blockSize?: number;
}

/** What earlier runs left. */
interface Found {
  readonly tokens: ReservedTokens | undefined;
  readonly listed: ReadSessions | undefined;
}

/**
 * Opens the ledger of a directory, which is made if there is none. Rejects with a `LedgerError`, or with a RangeError when
 * the clock says a time where tokens cannot begin.
 */
export async function openFileLedger(options: FileLedgerOptions): Promise<Ledger> {
  const directory = await StateDirectory.open(options.directory);
  try {
    return await startLedger(directory, options);
  } catch (error) {
    await directory.close();
    if (error instanceof LedgerError || error instanceof RangeError) throw error;
    throw new LedgerError('unusable', `the state directory cannot be used: ${(error as Error).message}`, error);
  }
}

/** Reads what earlier runs left in a directory, as a start does, and changes nothing. @throws LedgerError when that stops a start. */
export function requireSoundState(directory: string): void {
  readEarlier(new StateFiles(directory), false);
}

async function startLedger(directory: StateDirectory, options: FileLedgerOptions): Promise<Ledger> {
  const { nowMs, report, isForced = false, blockSize = BLOCK_SIZE } = options;
  const clock = tokenAt(nowMs);
  const { tokens, listed } = await findEarlier(directory, isForced, report);
  // Tokens of a lineage must not fall, so one whose reservation is not known has ended.
  const lineage = tokens?.lineage ?? randomUUID();
  // L1: next = max(reserved, clock).
  const begin = Math.max(tokens?.reserved ?? 0, clock);
  const tokenFile = new TokenFile(directory, lineage, report);
  const sessionFile = new SessionFile(directory, lineage, listed?.sessions ?? new ListedSessions());
  // The sessions first: an empty list without tokens may be a first start that was cut short.
  await sessionFile.start();
  await tokenFile.write(begin + blockSize);
  const runBefore = tokens?.run;
  const sessions = new SessionQueue(sessionFile, report);
  return new FileLedger({ directory, lineage, tokenFile, sessionFile, sessions, begin, blockSize, runBefore });
}

/** @throws LedgerError when the files are damaged or do not belong together. */
async function findEarlier(directory: StateDirectory, isForced: boolean, report: LedgerReport): Promise<Found> {
  try {
    const found = readEarlier(directory, isForced);
    await tellOfLoss(directory, found, report);
    return found;
  } catch (error) {
    if (!isForced || !(error instanceof LedgerError)) throw error;
    report.tell('warn', `${error.message}; the start is forced: what is of no use is put aside, all sessions are gone`);
    // Tokens that can be read go on: resources may have seen them.
    const tokens = readableTokens(directory);
    for (const name of tokens === undefined ? ['tokens', 'sessions'] : ['sessions'])
      await setAside(directory.pathOf(name));
    return { tokens, listed: undefined };
  }
}

function readableTokens(directory: StateDirectory): ReservedTokens | undefined {
  try {
    return readTokens(directory);
  } catch {
    return undefined;
  }
}

async function tellOfLoss(directory: StateDirectory, { tokens, listed }: Found, report: LedgerReport): Promise<void> {
  if (tokens === undefined && listed !== undefined)
    report.tell('warn', `${directory.pathOf('tokens')} is missing; another lineage of tokens begins`);
  const path = directory.pathOf('sessions');
  if (listed?.isTorn === true) report.tell('warn', `${path}: the last line was not written whole and is left out`);
  const damaged = listed?.damagedLines ?? 0;
  if (damaged === 0) return;
  await copyFile(path, `${path}.damaged`);
  report.tell('warn', `${path}: ${damaged} damaged lines are left out, since the start is forced; a copy is kept`);
}

/** L4: an unreadable list stops the start. */
function readEarlier(directory: StateFiles, isForced: boolean): Found {
  const tokens = readTokens(directory);
  const listed = readSessions(directory, isForced);
  if (tokens === undefined && directory.read(MOVED_TOKENS) !== undefined) {
    const way = 'use the directory that --cluster-export makes, or delete the files *.moved to begin anew';
    throw new LedgerError('unusable', `${directory.path} was moved into a cluster; ${way}`);
  }
  const missing = (name: string): LedgerError =>
    new LedgerError('unreadable', `${directory.pathOf(name)} is missing, but other files of the directory are there`);
  if (tokens === undefined && listed !== undefined && [...listed.sessions.ids].length > 0) throw missing('tokens');
  if (tokens !== undefined && listed === undefined) throw missing('sessions');
  if (tokens !== undefined && listed?.lineage !== tokens.lineage) {
    const lineages = `${tokens.lineage} and ${listed?.lineage}`;
    throw new LedgerError('unreadable', `${directory.path}: the files are of different servers, lineages ${lineages}`);
  }
  return { tokens, listed };
}

async function setAside(path: string): Promise<void> {
  try {
    await rename(path, `${path}.damaged`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

interface Parts {
  readonly directory: StateDirectory;
  readonly lineage: string;
  readonly tokenFile: TokenFile;
  readonly sessionFile: SessionFile;
  readonly sessions: SessionQueue;
  readonly begin: number;
  readonly blockSize: number;
  readonly runBefore: unknown;
}

class FileLedger implements Ledger {
  readonly isDurable = true;
  readonly lineage: string;
  readonly tokens: TokenSupply;
  readonly sessions: SessionQueue;
  readonly savedStop: SavedStop;
  readonly #directory: StateDirectory;
  readonly #tokenFile: TokenFile;
  readonly #sessionFile: SessionFile;

  constructor({ directory, lineage, tokenFile, sessionFile, sessions, begin, blockSize, runBefore }: Parts) {
    this.lineage = lineage;
    this.#directory = directory;
    this.#tokenFile = tokenFile;
    this.#sessionFile = sessionFile;
    this.sessions = sessions;
    const reserve = (upTo: number): Promise<void> => tokenFile.reserve(upTo);
    this.tokens = new TokenBlock({ begin, reserved: begin + blockSize, size: blockSize, reserve });
    this.savedStop = new StopFile(directory, { lineage, runBefore, thisRun: tokenFile.run });
  }

  async close(): Promise<void> {
    await this.#tokenFile.close();
    await this.sessions.close();
    await this.#sessionFile.close();
    await this.#directory.close();
  }
}
