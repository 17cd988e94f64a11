/** The file that holds a server's process id and keeps a second server out. */

import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type HeldName, holdName } from '../transports/held-name.ts';

/** Follows no link, and does not wait for the other end of a pipe. */
const OPEN_FLAGS = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** Only the owner may write it, also where the umask is 0. */
const PIDFILE_MODE = 0o644;

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
 * name space, named after the file's path, as long as it lives. Elsewhere it creates the file exclusively, and replaces
 * the file of a process that is gone. Writes only a regular file of its own user. Rejects with `PidfileTakenError`, or
 * with the system's error.
 */
export async function takePidfile(file: string): Promise<Pidfile> {
  // Resolves links of the folder, so that two names of one file are one pidfile.
  const path = join(realpathSync(dirname(resolve(file))), basename(file));
  const guard = process.platform === 'linux' ? await holdPidfile(path) : undefined;
  try {
    requireUsablePidfile(path);
    if (guard === undefined) takeExclusively(path);
    const descriptor = openUsable(path);
    ftruncateSync(descriptor);
    writeSync(descriptor, String(process.pid));
    return { release: () => releaseFile(path, descriptor, guard) };
  } catch (error) {
    guard?.release();
    throw error;
  }
}

function releaseFile(path: string, descriptor: number, guard: HeldName | undefined): void {
  const remove = (): void => {
    if (isSameFile(path, descriptor)) unlinkSync(path);
  };
  // After dropping privileges the process may be unable to remove the file, but can still empty it.
  if (!succeeds(remove)) succeeds(() => ftruncateSync(descriptor));
  // Last, because another server may write the file once the name is free.
  guard?.release();
}

/** The folder may belong to another user, who can put another file in the place of ours at any time. */
function isSameFile(path: string, descriptor: number): boolean {
  const [there, own] = [lstatSync(path), fstatSync(descriptor)];
  return there.dev === own.dev && there.ino === own.ino;
}

/** Does not empty the file, and looks again at the opened one, since the path may lead to another file by now. */
function openUsable(path: string): number {
  const descriptor = openSync(path, OPEN_FLAGS, PIDFILE_MODE);
  try {
    requireUsable(path, fstatSync(descriptor));
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Looks at what is there, without changing or holding it. @throws as `takePidfile` where that file cannot become a pidfile. */
export function requireUsablePidfile(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined) requireUsable(path, found);
}

/**
 * Who may write the folder could otherwise let a server that is started by root write any file of the system.
 * @throws PidfileTakenError when a glockd has the file, Error when it is a link, no regular file, or another user's.
 */
function requireUsable(path: string, found: Stats): void {
  refuseIfLocked(path, found);
  const own = process.geteuid?.() ?? found.uid;
  const problem = (what: string): Error =>
    new Error(`${path}: ${what}; expected a regular file of user ${own}, or none`);
  if (found.isSymbolicLink()) throw problem('it is a symbolic link');
  if (!found.isFile()) throw problem('it is no regular file');
  if (found.nlink > 1) throw problem('it has a second name, a hard link');
  if (found.uid !== own) throw problem(`it belongs to the user ${found.uid}`);
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

/** Checks for a running glockd: it does not hold our name, but locks the file. */
function refuseIfLocked(path: string, found: Stats): void {
  const pid = pidOfFileLock(found);
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

/** NaN when there is no file to read. */
function pidIn(path: string): number {
  try {
    return lstatSync(path).isFile() ? Number(readFileSync(path, 'utf8').trim()) : Number.NaN;
  } catch {
    return Number.NaN;
  }
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
function pidOfFileLock({ dev, ino }: Stats): number | undefined {
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
