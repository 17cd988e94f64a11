/** The file with the locks of a server that was stopped on purpose. */

import { rename } from 'node:fs/promises';
import type { SavedStop } from './ledger.ts';
import { LedgerError } from './ledger-error.ts';
import { headerLine, type RecordFile, readRecords, toLine } from './records.ts';
import type { StateDirectory } from './state-directory.ts';

const NAME = 'stop';
const MAX_CHARACTERS = 2 ** 28;

export interface StopFileOptions {
  readonly lineage: string;
  /** The run that the file must be of: an older one would bring back what has ended since. */
  readonly runBefore: unknown;
  readonly thisRun: string;
}

export class StopFile implements SavedStop {
  readonly #directory: StateDirectory;
  readonly #options: StopFileOptions;

  constructor(directory: StateDirectory, options: StopFileOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  async save(state: unknown): Promise<void> {
    const { lineage, thisRun } = this.#options;
    const line = toLine({ run: thisRun, state });
    if (line.length > MAX_CHARACTERS) {
      throw new LedgerError(
        'unusable',
        `the locks take ${line.length} characters; at most ${MAX_CHARACTERS} are saved`,
      );
    }
    await this.#directory.replace(NAME, headerLine('stop', lineage) + line);
  }

  /** Nothing may be granted before the file is removed for good, or a crash would bring back what has ended since. */
  async take(): Promise<unknown> {
    const text = this.#directory.read(NAME);
    if (text === undefined) return undefined;
    const { lineage, runBefore } = this.#options;
    const file = await this.#read(text);
    await this.#directory.remove(NAME);
    const record = file.records[0];
    return file.lineage === lineage && record?.run === runBefore ? record?.state : undefined;
  }

  /** A damaged file is put aside, so that the next start does not find it. */
  async #read(text: string): Promise<RecordFile> {
    const path = this.#directory.pathOf(NAME);
    try {
      return readRecords('stop', path, text, false);
    } catch (error) {
      await rename(path, `${path}.damaged`);
      throw error;
    }
  }
}
