/** The file with the locks of a server that was stopped on purpose. */

import type { SavedStop } from './ledger.ts';
import { LedgerError } from './ledger-error.ts';
import { headerLine, readRecords, toLine } from './records.ts';
import type { StateDirectory } from './state-directory.ts';

const NAME = 'stop';
const MAX_CHARACTERS = 2 ** 28;

export interface StopFileOptions {
  readonly lineage: string;
  /** The run that the file must be of: an older one would bring back what has ended since. */
  readonly runBefore: unknown;
  readonly thisRun: string;
  /** Passes over a file that cannot be read. */
  readonly isForced: boolean;
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
    const state = this.#stateIn(text);
    await this.#directory.remove(NAME);
    return state;
  }

  #stateIn(text: string): unknown {
    const { lineage, runBefore } = this.#options;
    const file = this.#read(text);
    const record = file?.records[0];
    return file?.lineage === lineage && record?.run === runBefore ? record?.state : undefined;
  }

  #read(text: string): ReturnType<typeof readRecords> | undefined {
    try {
      return readRecords('stop', this.#directory.pathOf(NAME), text, false);
    } catch (error) {
      if (this.#options.isForced) return undefined;
      throw error;
    }
  }
}
