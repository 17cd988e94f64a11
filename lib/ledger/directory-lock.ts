/**
 * Keeps a second server out of a state directory. Node has no `flock`, so the program of that name locks a file that this
 * process has opened: the lock belongs to the opened file, so it stays when the program has ended, and it is gone when this
 * process is, however it ends. The kernel keeps it, so containers that share the directory see it as well.
 */

import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { LedgerError } from './ledger-error.ts';

/** Where the program finds the file: behind standard error. */
const DESCRIPTOR = 3;
const LOCKED_BY_ANOTHER = 1;
const FILE_MODE = 0o600;

export interface DirectoryLock {
  /** Whether the file is still where it was. */
  isPresent(): Promise<boolean>;
  release(): void;
}

/**
 * Takes the lock, or throws at once.
 * @throws LedgerError `taken` when another server has it, `unusable` when there is no `flock`; or the system's error.
 */
export function lockFile(path: string): DirectoryLock {
  const descriptor = openSync(path, 'a+', FILE_MODE);
  try {
    takeLock(path, descriptor);
    ftruncateSync(descriptor);
    writeSync(descriptor, `process ${process.pid} on ${hostname()}\n`);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  const { dev, ino } = fstatSync(descriptor);
  return {
    isPresent: async () => {
      const found = await stat(path).catch(() => undefined);
      return found?.dev === dev && found.ino === ino;
    },
    release: () => closeSync(descriptor),
  };
}

function takeLock(path: string, descriptor: number): void {
  const stdio = ['ignore', 'ignore', 'pipe', descriptor] as const;
  const { error, status, stderr } = spawnSync('flock', ['-n', '-x', `${DESCRIPTOR}`], { stdio: [...stdio] });
  if (error === undefined && status === 0) return;
  // L5: two servers on one directory are refused.
  if (status === LOCKED_BY_ANOTHER) throw new LedgerError('taken', `${path}: ${holderOf(path)} uses this directory`);
  const why = error === undefined ? String(stderr).trim() : error.message;
  const hint = 'the program flock, of util-linux, must keep a second server out';
  throw new LedgerError('unusable', `${path}: cannot be locked: ${why}; ${hint}`, error);
}

/** For people only: the number and the host may be those of another container. */
function holderOf(path: string): string {
  const text = readFileSync(path, 'utf8').trim();
  return text === '' ? 'another server' : `another server, ${text},`;
}
