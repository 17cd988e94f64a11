/** Keeps the connections below the limit of open files, above which the system closes them without telling the server. */

import { readdirSync, readFileSync } from 'node:fs';
import type { LockServerLimits } from '../server/lock-server-limits.ts';

/** For connections that are being refused or closed, and for certificates that are read again. */
const SPARE_FILES = 16;

/** The limits that a server can keep, and a line for the log when they are not those of the settings. */
interface FittedLimits {
  readonly limits: LockServerLimits;
  readonly notice?: string;
}

/** How many files the process may have open, and for how many connections that leaves room. */
export interface OpenFiles {
  readonly max: number;
  readonly room: number;
}

/**
 * Counts them at the start: the rest is for connections and the listeners that are to open. A server that stands by needs another file for
 * each connection that it forwards. Undefined where the system does not tell the limit; only Linux does.
 */
export function countOpenFiles(listeners: number, filesAConnection = 1): OpenFiles | undefined {
  const max = readMaxOpenFiles();
  if (max === undefined) return undefined;
  // One of them is open only while this reads the folder.
  const files = max - readdirSync('/proc/self/fd').length - listeners - SPARE_FILES;
  return { max, room: Math.max(1, Math.floor(files / filesAConnection)) };
}

/** Lowers `maxConnections` to what there is room for. */
export function fitToOpenFiles(limits: LockServerLimits, files: OpenFiles | undefined): FittedLimits {
  const { maxConnections } = limits;
  if (files === undefined || files.room >= maxConnections) return { limits };
  const why = `since this process may have ${files.max} files open`;
  const remedy = 'raise the limit of open files (ulimit -n, or LimitNOFILE of systemd), or lower limits.maxConnections';
  const notice = `limits.maxConnections is lowered from ${maxConnections} to ${files.room}, ${why}; ${remedy}`;
  return { limits: { ...limits, maxConnections: files.room }, notice };
}

function readMaxOpenFiles(): number | undefined {
  try {
    const soft = /^Max open files +(\d+) /m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
