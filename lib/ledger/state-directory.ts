/** A directory whose files are replaced as a whole, or not at all. */

import { mkdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type DirectoryLock, lockFile } from './directory-lock.ts';
import { LedgerError } from './ledger-error.ts';

/** What is in it is nobody else's business. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/** The files of a directory, for those who only read them. */
export class StateFiles {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  pathOf(name: string): string {
    return join(this.path, name);
  }

  /** The text of a file; undefined if there is none. @throws LedgerError when it cannot be read. */
  read(name: string): string | undefined {
    try {
      return readFileSync(this.pathOf(name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new LedgerError('unreadable', `${this.pathOf(name)}: ${(error as Error).message}`, error);
    }
  }
}

/** The files of a server, which keeps other servers out. */
export class StateDirectory extends StateFiles {
  readonly #handle: FileHandle;
  readonly #lock: DirectoryLock;

  private constructor(path: string, handle: FileHandle, lock: DirectoryLock) {
    super(path);
    this.#handle = handle;
    this.#lock = lock;
  }

  /**
   * Makes the directory if there is none, and keeps other servers out of it. Rejects with a `LedgerError`: `taken` or
   * `unusable`.
   */
  static async open(given: string): Promise<StateDirectory> {
    const path = resolve(given);
    let handle: FileHandle | undefined;
    try {
      await makeDirectory(path);
      handle = await open(path, 'r');
      return new StateDirectory(path, handle, lockFile(join(path, 'lock')));
    } catch (error) {
      await handle?.close();
      if (error instanceof LedgerError) throw error;
      throw new LedgerError('unusable', `the state directory cannot be used: ${(error as Error).message}`, error);
    }
  }

  /**
   * Replaces a file: after a crash there is the old one or the new one, whole. Rejects with the system's error, or a
   * `LedgerError`, `sync` when nobody can say which.
   */
  async replace(name: string, text: string): Promise<void> {
    await this.requirePresent();
    const path = this.pathOf(name);
    const file = await open(`${path}.new`, 'w', FILE_MODE);
    try {
      await file.writeFile(text);
      await this.#confirm(`${path}.new`, () => file.sync());
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await this.#confirm(this.path, () => this.#handle.sync());
  }

  /** Removes a file for good, if it is there. Rejects as `replace` does. */
  async remove(name: string): Promise<void> {
    await rm(this.pathOf(name), { force: true });
    await this.#confirm(this.path, () => this.#handle.sync());
  }

  /** Opens a file, to write behind its end. */
  openToAppend(name: string): Promise<FileHandle> {
    return open(this.pathOf(name), 'a', FILE_MODE);
  }

  /**
   * Rejects when somebody has deleted or moved the directory or its lock: what is written would help no later run, and
   * another server may have the place.
   */
  async requirePresent(): Promise<void> {
    if (await this.#lock.isPresent()) return;
    throw new LedgerError('unusable', `${this.path} or its lock was deleted, moved or replaced while the server ran`);
  }

  async close(): Promise<void> {
    await this.#handle.close();
    this.#lock.release();
  }

  async #confirm(path: string, sync: () => Promise<void>): Promise<void> {
    try {
      await sync();
    } catch (error) {
      throw new LedgerError('sync', `${path}: the disk did not confirm a write: ${(error as Error).message}`, error);
    }
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    mkdirSync(path, { mode: DIRECTORY_MODE });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  const parent = await open(dirname(path), 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}
