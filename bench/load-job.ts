/** What the load generator can be told to do, and what it answers. It runs in a process of its own. */

import type { LatencySummary } from './latency-histogram.ts';
import type { ProcessUsage } from './processes.ts';

/** Where a server listens. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string };

/** How to ask: `reordered`, `spaced` and `escaped` are valid messages in a form that few clients send. */
export type LoadProtocol = 'ndjson' | 'reordered' | 'spaced' | 'escaped' | 'floor' | 'line' | 'resp' | 'pool';

/** A server to be asked. */
export interface LoadTarget {
  readonly place: Place;
  readonly protocol: LoadProtocol;
  readonly isTls?: boolean;
  /** Its process, whose processor time is read. */
  readonly pid: number;
}

interface CommonJob {
  readonly target: LoadTarget;
  readonly connections: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** Each connection has so many requests in flight, and sends the next one when one is answered. */
export interface ClosedLoopJob extends CommonJob {
  readonly kind: 'closedLoop';
  readonly depth: number;
  /** `own`: names that nobody else wants. `one`: all connections queue for the same lock, one request in flight each. */
  readonly names: 'own' | 'one';
}

/** Requests go out at fixed times, answered or not; every other one is a lock, the next one on its connection its unlock. */
export interface OpenLoopJob extends CommonJob {
  readonly kind: 'openLoop';
  readonly requestsPerSecond: number;
}

export type LoadJob = ClosedLoopJob | OpenLoopJob;

export interface ClosedLoopResult extends ProcessUsage {
  /** The fewest and the most locks that a connection got, when all queue for one. */
  readonly fewestGrants: number;
  readonly mostGrants: number;
  /** The most grants of others between two of one connection, when all queue for one; the number of the others is fair. */
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
