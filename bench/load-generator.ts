/** The load generator and its jobs. It is a process of its own, on a core of its own where there are two. */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { askChild, CORES, type ProcessUsage, pinToCore } from './processes.ts';

/** Where a server listens. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string };

/** `reordered`, `spaced` and `escaped` are valid messages in a form that few clients send. */
export type LoadProtocol = 'ndjson' | 'reordered' | 'spaced' | 'escaped' | 'floor' | 'line' | 'resp' | 'pool';

/** A server to send requests to. */
export interface LoadTarget {
  readonly place: Place;
  readonly protocol: LoadProtocol;
  readonly isTls?: boolean;
  /** Its process, for its processor time. */
  readonly pid: number;
}

/** Quantiles of many durations, in microseconds. */
export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

interface CommonJob {
  readonly target: LoadTarget;
  readonly connections: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** Each connection has `depth` requests in flight, and sends the next one when one is answered. */
export interface ClosedLoopJob extends CommonJob {
  readonly kind: 'closedLoop';
  readonly depth: number;
  /** `own`: each connection has names of its own. `one`: all connections queue for the same lock, one request in flight each. */
  readonly names: 'own' | 'one';
}

/** Requests go out at fixed times, answered or not: on each connection a lock, its unlock, the next lock and so on. */
export interface OpenLoopJob extends CommonJob {
  readonly kind: 'openLoop';
  readonly requestsPerSecond: number;
}

export type LoadJob = ClosedLoopJob | OpenLoopJob;

export interface ClosedLoopResult extends ProcessUsage {
  /** The fewest and the most locks that a connection got, when all queue for one. */
  readonly fewestGrants: number;
  readonly mostGrants: number;
  /** The most grants of others between two grants of one connection, when all queue for one lock; the number of others is fair. */
  readonly longestGap: number;
}

export interface OpenLoopResult extends ProcessUsage {
  /** From the time for which the lock request was planned until its grant was read. */
  readonly lock: LatencySummary;
  /** How much later than planned the generator itself wrote the requests. */
  readonly lateness: LatencySummary;
}

/** The generator's process answers each job with one of these. */
export type LoadAnswer =
  | { readonly result: ClosedLoopResult | OpenLoopResult }
  | { readonly problem: string; readonly isOverload: boolean };

/** A failed run: a reply was wrong or did not come, or the server could not keep the rate. */
export class LoadFailure extends Error {
  override readonly name: string = 'LoadFailure';
  readonly isOverload: boolean;

  constructor(problem: string, isOverload = false) {
    super(problem);
    this.isOverload = isOverload;
  }
}

const PROGRAM = fileURLToPath(new URL('load-loops.js', import.meta.url));

/** Does one job at a time. */
export class LoadGenerator {
  readonly #process: ChildProcess;
  /** Whether it has a core to itself. */
  readonly isPinned: boolean;

  static start(): LoadGenerator {
    return new LoadGenerator(fork(PROGRAM, { serialization: 'advanced' }));
  }

  constructor(child: ChildProcess) {
    this.#process = child;
    this.isPinned = pinToCore(child.pid as number, CORES.generator);
  }

  /** Rejects with a `LoadFailure` when a reply was wrong or did not come. */
  closedLoop(job: Omit<ClosedLoopJob, 'kind'>): Promise<ClosedLoopResult> {
    return this.#run<ClosedLoopResult>({ kind: 'closedLoop', ...job });
  }

  /** Rejects with a `LoadFailure`; its `isOverload` is true when the server cannot keep up. */
  openLoop(job: Omit<OpenLoopJob, 'kind'>): Promise<OpenLoopResult> {
    return this.#run<OpenLoopResult>({ kind: 'openLoop', ...job });
  }

  stop(): void {
    this.#process.disconnect();
  }

  async #run<Result>(job: LoadJob): Promise<Result> {
    const answer = await askChild<LoadAnswer>(this.#process, job);
    if ('problem' in answer) throw new LoadFailure(`${job.target.protocol}: ${answer.problem}`, answer.isOverload);
    return answer.result as Result;
  }
}
