/** The file that tells the process id of a server and keeps a second one out. */

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

/** Another server that is running has the file. */
export class PidfileTakenError extends Error {
  override readonly name: string = 'PidfileTakenError';
}

/** One server's claim to its pidfile. */
export interface Pidfile {
  /** Removes the file, or empties it where it may not be removed. */
  release(): void;
}

/**
 * Takes the pidfile for this process. Node has no `flock`; on Linux a Unix socket in the abstract name space, named after
 * the real path of the file, is held as long as the process lives. Elsewhere the file is created exclusively, and one of
 * a process that is gone is replaced. Rejects with `PidfileTakenError`, or with the system's error.
 */
export async function takePidfile(file: string): Promise<Pidfile> {
  const canHoldName = process.platform === 'linux';
  // Made before it is asked what its real path is, which a link to nothing has not; and not emptied while another has it.
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
      // Opened before privileges were dropped, the file can be emptied when it cannot be removed any more.
      if (!succeeds(() => unlinkSync(path))) succeeds(() => ftruncateSync(descriptor));
      // Last: once the name is free another server may write the file.
      guard?.release();
    },
  };
}

/** Two names of one file are one pidfile. */
function realPath(file: string): string {
  const path = join(realpathSync(dirname(resolve(file))), basename(file));
  return existsSync(path) ? realpathSync(path) : path;
}

/** After privileges were dropped the file may be out of reach, which is no reason not to end. */
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

/** A glockd that runs does not know of our name. */
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

/** What the system calls a process, where it tells. */
function nameOf(pid: number): string {
  try {
    return `, ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()},`;
  } catch {
    return '';
  }
}

/** Who holds the file by `flock`, as glockd does; undefined when nobody does. */
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

/** Nothing where the system shows processes only, as services can be told to be run. */
function fileLocks(): string {
  try {
    return readFileSync('/proc/locks', 'utf8');
  } catch {
    return '';
  }
}

/** A line of `/proc/locks`: see proc(5). */
const FILE_LOCK = /^\d+: FLOCK +\S+ +\S+ +(\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /;
