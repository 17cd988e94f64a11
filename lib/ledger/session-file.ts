/** The file with the sessions that hold something. Records are appended, many with one sync. */

import type { FileHandle } from 'node:fs/promises';
import type { EarlierSession } from './ledger.ts';
import { LedgerError } from './ledger-error.ts';
import { type Batch, ListedSessions } from './listed-sessions.ts';
import { headerLine, readRecords, toLine } from './records.ts';
import type { SessionChange, SessionStore } from './session-queue.ts';
import type { StateDirectory, StateFiles } from './state-directory.ts';

const NAME = 'sessions';
/** How many are recorded with one sync. To encode them takes some milliseconds. */
const MAX_BATCH = 1_000;
/** The file is written anew when it has so many entries more than twice those that it was made with. */
const SPARE_ENTRIES = 4_096;

/** What the file says, and in what state it is. */
export interface ReadSessions {
  readonly lineage: string;
  readonly sessions: ListedSessions;
  readonly isTorn: boolean;
  readonly damagedLines: number;
}

/** Reads the file; undefined if there is none. @throws LedgerError when it is damaged, unless `isForced`. */
export function readSessions(directory: StateFiles, isForced: boolean): ReadSessions | undefined {
  const text = directory.read(NAME);
  if (text === undefined) return undefined;
  const { lineage, records, isTorn, damagedLines } = readRecords('sessions', directory.pathOf(NAME), text, isForced);
  const sessions = new ListedSessions();
  for (const batch of records as readonly unknown[] as readonly Batch[]) sessions.apply(batch);
  return { lineage, sessions, isTorn, damagedLines };
}

export class SessionFile implements SessionStore {
  readonly place = 'the state directory';
  readonly atStart: readonly EarlierSession[];
  /** After a failed write the file is written anew. */
  readonly isUncertain = false;
  readonly #directory: StateDirectory;
  readonly #lineage: string;
  /** What the file says. */
  readonly #listed: ListedSessions;
  /** Undefined when the file must be written anew, since nobody knows what a failed write has left in it. */
  #file: FileHandle | undefined;
  /** How many entries it had when it was made, and has now. */
  #firstEntries = 0;
  #entries = 0;

  /** Call `start` before anything else. */
  constructor(directory: StateDirectory, lineage: string, sessions: ListedSessions) {
    this.atStart = sessions.describe();
    this.#directory = directory;
    this.#lineage = lineage;
    this.#listed = sessions;
  }

  /** Writes the file anew, without what has ended. */
  async start(): Promise<void> {
    await this.#rewrite(undefined);
  }

  fit(queue: readonly unknown[]): number {
    return Math.min(queue.length, MAX_BATCH);
  }

  async write(changes: readonly SessionChange[]): Promise<void> {
    await this.#append(toBatch(changes));
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #append(batch: Batch): Promise<void> {
    const isWasteful = this.#entries > 2 * this.#firstEntries + SPARE_ENTRIES;
    if (this.#file === undefined || isWasteful) return await this.#rewrite(batch);
    const file = this.#file;
    try {
      await file.appendFile(toLine(batch));
      await file.datasync();
      await this.#requirePresent(file);
    } catch (error) {
      this.#file = undefined;
      await file.close();
      throw error;
    }
    this.#listed.apply(batch);
    this.#entries += lengthOf(batch);
  }

  /** L4: sessions stay on the list until they have ended, whether they have returned or not. */
  async #rewrite(batch: Batch | undefined): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const summary = this.#listed.summary();
    const lines = [summary, ...(batch === undefined ? [] : [batch])].map(toLine);
    await this.#directory.replace(NAME, headerLine('sessions', this.#lineage) + lines.join(''));
    this.#file = await this.#directory.openToAppend(NAME);
    if (batch !== undefined) this.#listed.apply(batch);
    this.#firstEntries = lengthOf(summary);
    this.#entries = this.#firstEntries + (batch === undefined ? 0 : lengthOf(batch));
  }

  /** A file that somebody has deleted takes everything and keeps nothing. */
  async #requirePresent(file: FileHandle): Promise<void> {
    await this.#directory.requirePresent();
    if ((await file.stat()).nlink > 0) return;
    throw new LedgerError('unusable', `${this.#directory.pathOf(NAME)} was deleted or replaced while the server ran`);
  }
}

function toBatch(changes: readonly SessionChange[]): Batch {
  const lost = changes.flatMap((change) => (change.kind === 'lose' ? [{ id: change.id, ...change.loss }] : []));
  return {
    added: changes.flatMap((change) => (change.kind === 'add' ? [change.session] : [])),
    ended: changes.flatMap((change) => (change.kind === 'end' ? [change.id] : [])),
    // Few lines have any.
    lost: lost.length > 0 ? lost : undefined,
  };
}

function lengthOf({ added, ended, lost = [] }: Batch): number {
  return added.length + ended.length + lost.length;
}
