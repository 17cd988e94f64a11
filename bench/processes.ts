/** Other processes: asks them, keeps them on a core, and reads their processor time and memory, on Linux only. */

import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const MS_A_SECOND = 1_000;
const MICROSECONDS_A_SECOND = 1e6;
const NANOSECONDS_A_MICROSECOND = 1_000;
const NANOSECONDS_A_MILLISECOND = 1e6;
const BYTES_A_KILOBYTE = 1_024;

/** Servers run on one core and clients on another, so that neither takes the other's time. */
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

/** Times of the main thread of a process, in milliseconds; NaN where the system does not tell. */
export interface ThreadTimes {
  readonly ranMs: number;
  /** How long it could have run, but the machine did something else. */
  readonly waitedMs: number;
}

/** The times of the main thread so far. */
export function threadTimes(pid: number): ThreadTimes {
  try {
    const [ran, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ');
    return { ranMs: Number(ran) / NANOSECONDS_A_MILLISECOND, waitedMs: Number(waited) / NANOSECONDS_A_MILLISECOND };
  } catch {
    return { ranMs: Number.NaN, waitedMs: Number.NaN };
  }
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

/** Keeps all threads of a process on one core. Returns false without `taskset` or a second core. */
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
 * Lets this process, but not its children, run before all others of its core. Returns false without `chrt` and the right to
 * use it.
 */
export function runFirst(): boolean {
  try {
    execFileSync('chrt', ['--reset-on-fork', '--fifo', '--pid', '1', String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The number of open files to allow a process: as many as wanted, or fewer when the system allows fewer. */
export function allowedOpenFiles(wanted: number): number {
  const ask = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: 'pipe' });
  try {
    return Number(ask(`ulimit -n ${wanted} && ulimit -n`));
  } catch {
    return Math.min(wanted, Number(ask('ulimit -H -n')));
  }
}

/** A command line that runs a program with that many open files allowed. */
export function withOpenFiles(count: number, command: readonly string[]): string[] {
  return ['sh', '-c', 'ulimit -n "$0" && exec "$@"', String(count), ...command];
}

/** Sends the message and resolves to the next one that comes. Rejects when the process ends before. */
export async function askChild<Answer>(child: ChildProcess, message: object): Promise<Answer> {
  const answered = new AbortController();
  const { signal } = answered;
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new Error('a process of the measurement ended by itself');
  });
  try {
    child.send(message);
    const [answer] = (await Promise.race([once(child, 'message', { signal }), gone])) as [Answer];
    return answer;
  } finally {
    answered.abort();
  }
}

/** The cost of requests over the measured seconds. */
export interface ProcessUsage {
  /** Requests that were answered, locks and unlocks. */
  readonly requests: number;
  readonly seconds: number;
  /** Processor time for one request, in microseconds; that of the server is NaN where the system does not tell. */
  readonly serverMicroseconds: number;
  readonly generatorMicroseconds: number;
  /** The share of one core that the server used. */
  readonly serverBusy: number;
}

/** Processor time of the server and of this process over the measured seconds. */
export class UsageMeter {
  readonly #pid: number;
  #start: readonly [number, number, number] = [0, 0, 0];
  #end: readonly [number, number, number] = [0, 0, 0];

  constructor(pid: number) {
    this.#pid = pid;
  }

  start(): void {
    this.#start = this.#read();
  }

  stop(): void {
    this.#end = this.#read();
  }

  /** Divides it by the requests that were answered in between. */
  summarize(requests: number): ProcessUsage {
    const [ms = 0, server = 0, generator = 0] = this.#end.map((value, index) => value - (this.#start[index] as number));
    const seconds = ms / MS_A_SECOND;
    return {
      requests,
      seconds,
      serverMicroseconds: server / requests,
      generatorMicroseconds: generator / requests,
      serverBusy: server / (seconds * MICROSECONDS_A_SECOND),
    };
  }

  #read(): readonly [number, number, number] {
    const { user, system } = process.cpuUsage();
    return [performance.now(), cpuMicroseconds(this.#pid), user + system];
  }
}
