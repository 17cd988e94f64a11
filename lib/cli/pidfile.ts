/** The file that holds a server's process id and keeps a second server out. */

import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type HeldName, holdName } from '../transports/held-name.ts';

/** Another running server has the file. */
export class PidfileTakenError extends Error {
  override readonly name: string = 'PidfileTakenError';
}

/** One server's claim to its pidfile. */
export interface Pidfile {
  /** Removes the file, or empties it if this process may not remove it. */
  release(): void;
}

/**
 * Takes the pidfile for this process. Node has no `flock`, so on Linux the process holds a Unix socket in the abstract
 * name space, named after the file's real path, as long as it lives. Elsewhere it creates the file exclusively, and
 * replaces the file of a process that is gone. Rejects with `PidfileTakenError`, or with the system's error.
 */
export async function takePidfile(file: string): Promise<Pidfile> {
  const canHoldName = process.platform === 'linux';
  // Creates the file first, since a link to nothing has no real path. Does not empty it, since another server may have
  // it.
  if (canHoldName) closeSync(openSync(file, 'a'));
  const path = realPath(file);
  const guard = canHoldName ? await holdPidfile(path) : undefined;
  let descriptor: number;
  try {
    if (guard === undefined) takeExclusively(path);
    else refuseIfLocked(path);
    descriptor = openSync(path, 'w');
    writeSync(descriptor, String(process.pid));
  } catch (error) {
    guard?.release();
    throw error;
  }
  return {
    release: () => {
      // After dropping privileges the process may be unable to remove the file, but can still empty it.
      if (!succeeds(() => unlinkSync(path))) succeeds(() => ftruncateSync(descriptor));
      // Last, because another server may write the file once the name is free.
      guard?.release();
    },
  };
}

/** Resolves links, so that two names of one file are one pidfile. */
function realPath(file: string): string {
  const path = join(realpathSync(dirname(resolve(file))), basename(file));
  return existsSync(path) ? realpathSync(path) : path;
}

/** Ignores errors: after dropping privileges the file may be out of reach, but the process must still end. */
function succeeds(run: () => void): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}

async function holdPidfile(path: string): Promise<HeldName | undefined> {
  try {
    return await holdName('pidfile', path);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? taken(path) : error;
  }
}

function takeExclusively(path: string): void {
  try {
    closeSync(openSync(path, 'wx'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const pid = pidIn(path);
    if (pid > 0 && pid !== process.pid && isRunning(pid)) throw taken(path, pid);
  }
}

/** Checks for a running glockd, which does not know our name but locks the file. */
function refuseIfLocked(path: string): void {
  const pid = pidOfFileLock(path);
  if (pid !== undefined) throw taken(path, pid);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function taken(path: string, pid: number = pidIn(path)): PidfileTakenError {
  const who = pid > 0 ? `process ${pid}${nameOf(pid)}` : 'another server that is running';
  return new PidfileTakenError(`${path}: ${who} has this pidfile`);
}

function pidIn(path: string): number {
  return Number(readFileSync(path, 'utf8').trim());
}

/** The process's name, if the system tells it. */
function nameOf(pid: number): string {
  try {
    return `, ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()},`;
  } catch {
    return '';
  }
}

/** The process that holds the file by `flock`, as glockd does; undefined if none does. */
function pidOfFileLock(path: string): number | undefined {
  const { dev, ino } = statSync(path);
  const device = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  for (const line of fileLocks().split('\n')) {
    const [, pid, major = '', minor = '', inode] = FILE_LOCK.exec(line) ?? [];
    const isSameDevice = Number.parseInt(major, 16) === device[0] && Number.parseInt(minor, 16) === device[1];
    if (Number(inode) === ino && isSameDevice) return Number(pid);
  }
  return undefined;
}

/** Empty when the system hides this file, as it may from a service. */
function fileLocks(): string {
  try {
    return readFileSync('/proc/locks', 'utf8');
  } catch {
    return '';
  }
}

/** A line of `/proc/locks`: see proc(5). */
const FILE_LOCK = /^\d+: FLOCK +\S+ +\S+ +(\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /;
