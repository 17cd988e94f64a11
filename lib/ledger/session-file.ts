/** The file with the sessions that hold something. Records are appended, many with one sync. */

import type { FileHandle } from 'node:fs/promises';
import type { EarlierSession, LedgerReport, LossRecord, SessionList, SessionRecord } from './ledger.ts';
import { LedgerError } from './ledger-error.ts';
import { type Batch, ListedSessions } from './listed-sessions.ts';
import { headerLine, readRecords, toLine } from './records.ts';
import type { StateDirectory } from './state-directory.ts';
import { Trouble } from './trouble.ts';

const NAME = 'sessions';
const RETRY_MS = 1_000;
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
export function readSessions(directory: StateDirectory, isForced: boolean): ReadSessions | undefined {
  const text = directory.read(NAME);
  if (text === undefined) return undefined;
  const { lineage, records, isTorn, damagedLines } = readRecords('sessions', directory.pathOf(NAME), text, isForced);
  const sessions = new ListedSessions();
  for (const batch of records as readonly unknown[] as readonly Batch[]) sessions.apply(batch);
  return { lineage, sessions, isTorn, damagedLines };
}

/** What waits to be recorded, and who waits for that. */
type Entry =
  | {
      readonly kind: 'add';
      readonly session: SessionRecord;
      readonly resolve: () => void;
      readonly reject: (error: Error) => void;
    }
  | { readonly kind: 'end'; readonly id: string; readonly resolve: () => void }
  | { readonly kind: 'lose'; readonly id: string; readonly loss: LossRecord; readonly resolve: () => void };

export class SessionFile implements SessionList {
  readonly atStart: readonly EarlierSession[];
  readonly #directory: StateDirectory;
  readonly #lineage: string;
  readonly #trouble: Trouble;
  /** What the file says. */
  readonly #listed: ListedSessions;
  /** The same, with what is about to be written. */
  readonly #known: Set<string>;
  /** Undefined when the file must be written anew, since nobody knows what a failed write has left in it. */
  #file: FileHandle | undefined;
  /** How many entries it had when it was made, and has now. */
  #firstEntries = 0;
  #entries = 0;
  /** In the order in which they came, since a session may end before its beginning is recorded. */
  #queue: Entry[] = [];
  #state: 'idle' | 'writing' | 'retrying' | 'closed' = 'idle';
  #writing: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;

  /** Call `start` before anything else. */
  constructor(directory: StateDirectory, lineage: string, sessions: ListedSessions, report: LedgerReport) {
    this.atStart = sessions.describe();
    this.#directory = directory;
    this.#lineage = lineage;
    this.#listed = sessions;
    this.#known = new Set(sessions.ids);
    this.#trouble = new Trouble(
      report,
      'sessions that hold nothing yet are refused, and locks of ended ones stay taken',
    );
  }

  /** Writes the file anew, without what has ended. */
  async start(): Promise<void> {
    await this.#rewrite(undefined);
  }

  /** L2: the promise resolves when the record is synced; if that fails it rejects, and the grant is refused. */
  add(session: SessionRecord): Promise<void> {
    this.#known.add(session.id);
    return new Promise((resolve, reject) => {
      this.#queue.push({ kind: 'add', session, resolve, reject });
      this.#writeSoon();
    });
  }

  /** L3: the promise resolves when the end is synced. */
  end(id: string): Promise<void> | undefined {
    if (!this.#known.delete(id)) return undefined;
    return new Promise((resolve) => {
      this.#queue.push({ kind: 'end', id, resolve });
      this.#writeSoon();
    });
  }

  /** L3: the promise resolves when the loss is synced. */
  lose(id: string, loss: LossRecord): Promise<void> | undefined {
    if (!this.#known.has(id)) return undefined;
    return new Promise((resolve) => {
      this.#queue.push({ kind: 'lose', id, loss, resolve });
      this.#writeSoon();
    });
  }

  /** Waits for the write under way. What was not written is left out. */
  async close(): Promise<void> {
    await this.#writing;
    clearTimeout(this.#retry);
    this.#state = 'closed';
    await this.#file?.close();
  }

  #writeSoon(): void {
    if (this.#state !== 'idle' && this.#state !== 'retrying') return;
    clearTimeout(this.#retry);
    this.#state = 'writing';
    this.#writing = this.#writeAll();
  }

  /** Group commit: whatever came while one batch was synced is the next one. */
  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const entries = this.#queue.splice(0, MAX_BATCH);
      try {
        await this.#write(toBatch(entries));
      } catch (error) {
        this.#failed(error as Error, [...entries, ...this.#queue]);
        return;
      }
      this.#trouble.over();
      for (const { resolve } of entries) resolve();
    }
    this.#state = 'idle';
  }

  /** Refuses the sessions at once. Ends and losses are tried again. */
  #failed(error: Error, entries: readonly Entry[]): void {
    this.#trouble.failed(error);
    this.#state = 'retrying';
    this.#retry = setTimeout(() => this.#writeSoon(), RETRY_MS).unref();
    this.#queue = entries.filter(({ kind }) => kind !== 'add');
    for (const entry of entries) {
      if (entry.kind !== 'add') continue;
      this.#known.delete(entry.session.id);
      entry.reject(error);
    }
  }

  async #write(batch: Batch): Promise<void> {
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

function toBatch(entries: readonly Entry[]): Batch {
  const lost = entries.flatMap((entry) => (entry.kind === 'lose' ? [{ id: entry.id, ...entry.loss }] : []));
  return {
    added: entries.flatMap((entry) => (entry.kind === 'add' ? [entry.session] : [])),
    ended: entries.flatMap((entry) => (entry.kind === 'end' ? [entry.id] : [])),
    // Few lines have any.
    lost: lost.length > 0 ? lost : undefined,
  };
}

function lengthOf({ added, ended, lost = [] }: Batch): number {
  return added.length + ended.length + lost.length;
}
