/** The history in a directory: one JSON object a line, in files that follow each other and of which the oldest are deleted. */

import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../message/logger.ts';
import { startTimeout } from '../message/timeout.ts';
import type { HistoryRecord } from '../protocol.ts';
import type { EarlierFile } from './earlier-records.ts';
import type { RecordKeeper } from './lock-history.ts';
import { bytesOfRecord } from './record-ring.ts';

const FILE = /^history-(\d{6,})\.jsonl$/;
const DIGITS = 6;
const NEWLINE = 0x0a;
/** Only the user of the server reads who held what. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/** Records of this time share a write. */
const GATHER_MS = 100;
/** Turned into text at a time, so that nobody waits for it. */
const RECORDS_A_WRITE = 200;
/** How many bytes of records may wait for a slow disk. */
const MAX_PENDING_BYTES = 8_388_608;
/** After a failure. */
const RETRY_MS = 1_000;

/** Where the files are, and how large they get. */
export interface HistoryFilesOptions {
  readonly directory: string;
  /** A file that has reached so many bytes is followed by the next. */
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  readonly logger: Logger;
  /** How many bytes of records may wait for the disk; 8 MiB by default. */
  readonly maxPendingBytes?: number;
}

/** Writes records when nobody waits for that. What cannot be written is lost, counted and told of once. */
export class HistoryFiles implements RecordKeeper {
  /** The files of earlier runs, the newest first. */
  readonly earlierFiles: readonly EarlierFile[];
  readonly #options: HistoryFilesOptions;
  readonly #maxPendingBytes: number;
  #pending: HistoryRecord[] = [];
  #pendingBytes = 0;
  #state: 'idle' | 'gathering' | 'writing' = 'idle';
  #stopTimer: (() => void) | undefined;
  #written: Promise<void> = Promise.resolve();
  #file: FileHandle | undefined;
  #fileNumber: number;
  #fileBytes = 0;
  /** Records that were lost since the log was told of that. */
  #lostCount = 0;

  /**
   * Makes the directory if there is none, and goes on behind the files that are in it.
   * @throws Error of the system when that is not possible.
   */
  constructor(options: HistoryFilesOptions) {
    const { directory, maxPendingBytes = MAX_PENDING_BYTES } = options;
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    this.#options = options;
    this.#maxPendingBytes = maxPendingBytes;
    const numbers = numbersOf(readdirSync(directory));
    this.#fileNumber = Math.max(1, ...numbers);
    this.earlierFiles = [...numbers]
      .sort((a, b) => b - a)
      .map((number) => this.#pathOf(number))
      .map((path) => ({ path, bytes: statSync(path).size }));
  }

  add(record: HistoryRecord): void {
    const bytes = bytesOfRecord(record);
    if (this.#pendingBytes + bytes > this.#maxPendingBytes) {
      this.#lose(1, 'the disk is too slow');
      return;
    }
    this.#pending.push(record);
    this.#pendingBytes += bytes;
    if (this.#state === 'idle') this.#gather(GATHER_MS);
  }

  /** Writes what waits, if that is possible; resolves when it is done. */
  async close(): Promise<void> {
    this.#stopTimer?.();
    if (this.#state !== 'writing') this.#written = this.#writeAll();
    await this.#written;
    await this.#closeFile();
  }

  #gather(delayMs: number): void {
    this.#state = 'gathering';
    this.#stopTimer = startTimeout(
      delayMs,
      () => {
        this.#written = this.#writeAll();
      },
      'background',
    );
  }

  async #writeAll(): Promise<void> {
    this.#state = 'writing';
    let records = this.#pending.splice(0, RECORDS_A_WRITE);
    while (records.length > 0) {
      this.#pendingBytes -= records.reduce((sum, record) => sum + bytesOfRecord(record), 0);
      try {
        await this.#write(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
        this.#tellLost();
      } catch (error) {
        await this.#closeFile();
        this.#lose(records.length, (error as Error).message);
        break;
      }
      records = this.#pending.splice(0, RECORDS_A_WRITE);
    }
    this.#state = 'idle';
    if (this.#pending.length > 0) this.#gather(RETRY_MS);
  }

  async #write(text: string): Promise<void> {
    this.#file ??= await this.#openFile();
    if (this.#fileBytes >= this.#options.maxFileBytes) {
      await this.#closeFile();
      this.#fileNumber += 1;
      await this.#deleteOldest();
      this.#file = await this.#openFile();
    }
    const bytes = Buffer.from(text);
    await this.#file.appendFile(bytes);
    this.#fileBytes += bytes.length;
  }

  async #openFile(): Promise<FileHandle> {
    const file = await open(this.#pathOf(this.#fileNumber), 'a+', FILE_MODE);
    try {
      this.#fileBytes = (await file.stat()).size;
      if (await isTorn(file, this.#fileBytes)) await file.appendFile('\n');
      return file;
    } catch (error) {
      // Each attempt on a full disk would keep a descriptor.
      await file.close().catch(() => {});
      throw error;
    }
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // What was written is in the hands of the system.
    await file?.close().catch(() => {});
  }

  /** Leaves room for the file that comes next. */
  async #deleteOldest(): Promise<void> {
    const { directory, maxFiles } = this.#options;
    const tooOld = numbersOf(readdirSync(directory)).filter((number) => number <= this.#fileNumber - maxFiles);
    for (const number of tooOld) await unlink(this.#pathOf(number));
  }

  #pathOf(number: number): string {
    return join(this.#options.directory, `history-${String(number).padStart(DIGITS, '0')}.jsonl`);
  }

  #lose(count: number, why: string): void {
    const { directory, logger } = this.#options;
    if (this.#lostCount === 0)
      logger.warn({ directory, why }, 'the history cannot be written to its directory; records are lost until it can');
    this.#lostCount += count;
  }

  #tellLost(): void {
    if (this.#lostCount === 0) return;
    const { directory, logger } = this.#options;
    logger.warn(
      { directory, lost: this.#lostCount },
      `the history is written again; ${this.#lostCount} records were lost`,
    );
    this.#lostCount = 0;
  }
}

/** Whether the last line has no end, since a write was broken off. */
async function isTorn(file: FileHandle, bytes: number): Promise<boolean> {
  if (bytes === 0) return false;
  const { buffer } = await file.read(new Uint8Array(1), 0, 1, bytes - 1);
  return buffer[0] !== NEWLINE;
}

function numbersOf(names: readonly string[]): readonly number[] {
  return names.flatMap((name) => FILE.exec(name)?.[1] ?? []).map(Number);
}
