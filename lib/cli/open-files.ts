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

/**
 * Lowers `maxConnections` to what the system's limit of open files leaves room for, beside the files that are open and
 * those of the listeners; one that stands by needs another for each connection that it forwards. Changes nothing where the system
 * does not tell the limit; only Linux does.
 */
export function fitToOpenFiles(limits: LockServerLimits, listeners: number, filesAConnection = 1): FittedLimits {
  const maxOpenFiles = readMaxOpenFiles();
  if (maxOpenFiles === undefined) return { limits };
  const files = maxOpenFiles - countOpenFiles() - listeners - SPARE_FILES;
  const room = Math.max(1, Math.floor(files / filesAConnection));
  const { maxConnections } = limits;
  if (room >= maxConnections) return { limits };
  const why = `since this process may have ${maxOpenFiles} files open`;
  const remedy = 'raise the limit of open files (ulimit -n, or LimitNOFILE of systemd), or lower limits.maxConnections';
  const notice = `limits.maxConnections is lowered from ${maxConnections} to ${room}, ${why}; ${remedy}`;
  return { limits: { ...limits, maxConnections: room }, notice };
}

function readMaxOpenFiles(): number | undefined {
  try {
    const soft = /^Max open files +(\d+) /m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** One of them is open only while this reads the folder. */
function countOpenFiles(): number {
  return readdirSync('/proc/self/fd').length;
}
