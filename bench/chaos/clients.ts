/** The client processes of a chaos run: how the connection of each runs, and what session it has. */

/** How the connection of a client process runs: from a host of its own, by a proxy, or neither. */
export type Route = 'direct' | 'proxy' | 'proxiedListener' | 'host';

/** What one client process is like. */
export interface ClientKind {
  readonly route: Route;
  /** Whether its session outlives its connection; if not, it has `session: false`. */
  readonly isKept: boolean;
  /** The time-out by which it counts: T of docs/guarantees.md. */
  readonly timeoutMs: number;
}

/** The time-out of most sessions, and the one that `timeouts` of faults are multiples of. */
export const SHORT_TIMEOUT_MS = 5_000;
/** From here on a client that hears nothing has time to dial anew before its deadline. */
export const ROOMY_TIMEOUT_MS = 10_000;
/** With `session: false` it counts by the default. */
const DEFAULT_TIMEOUT_MS = 20_000;

const kept = (route: Route, timeoutMs: number): ClientKind => ({ route, isKept: true, timeoutMs });
const unkept = (route: Route): ClientKind => ({ route, isKept: false, timeoutMs: DEFAULT_TIMEOUT_MS });

export const CLIENTS: readonly ClientKind[] = [
  kept('direct', SHORT_TIMEOUT_MS),
  kept('direct', SHORT_TIMEOUT_MS),
  kept('proxy', SHORT_TIMEOUT_MS),
  kept('proxiedListener', SHORT_TIMEOUT_MS),
  kept('proxy', ROOMY_TIMEOUT_MS),
  kept('proxiedListener', ROOMY_TIMEOUT_MS),
  unkept('proxy'),
  unkept('proxiedListener'),
];
/** Each has a host of its own. */
export const HOST_CLIENTS: readonly ClientKind[] = [kept('host', SHORT_TIMEOUT_MS), kept('host', SHORT_TIMEOUT_MS)];
