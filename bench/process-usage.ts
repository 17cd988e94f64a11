/** What the kernel tells of another process: the processor time it used, and its memory. Linux only. */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const NANOSECONDS_A_MICROSECOND = 1_000;
const BYTES_A_KILOBYTE = 1_024;

/** Servers run on one core, what asks them on another, so that neither takes the other's time. */
export const CORES = { server: 0, generator: 1 } as const;

/** The processor time of all threads of a process so far, in microseconds; NaN where the system does not tell. */
export function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number.parseInt(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1'), 10);
    }
  } catch {
    return Number.NaN;
  }
  return nanoseconds / NANOSECONDS_A_MICROSECOND;
}

/** The memory that a process has in use, in bytes; NaN where the system does not tell. */
export function residentBytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes) * BYTES_A_KILOBYTE;
  } catch {
    return Number.NaN;
  }
}

/** Keeps all threads of a process on one core. Returns whether it does: it takes `taskset` and two cores. */
export function pinToCore(pid: number, core: number): boolean {
  if (availableParallelism() <= core || availableParallelism() < 2) return false;
  try {
    execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Lets this process run before all others of its core, as soon as it has anything to do; those that it starts do not
 * inherit that. Returns whether it does: it takes `chrt` and the right to use it.
 */
export function runFirst(): boolean {
  try {
    execFileSync('chrt', ['--reset-on-fork', '--fifo', '--pid', '1', String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The open files that a process may have: as many as wanted, or what the system allows when that is less. */
export function allowedOpenFiles(wanted: number): number {
  const ask = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: 'pipe' });
  try {
    return Number(ask(`ulimit -n ${wanted} && ulimit -n`));
  } catch {
    return Math.min(wanted, Number(ask('ulimit -H -n')));
  }
}
