/** The client processes of a chaos run: how the connection of each runs, and what session it has. */

/**
 * How the connection of a client process runs: from a host of its own, by a proxy, or neither. To a cluster: to its `leader`, or by
 * servers that stand by, which forward it.
 */
export type Route = 'direct' | 'proxy' | 'proxiedListener' | 'host' | 'leader' | 'forwarded';

/** What one client process is like. */
export interface ClientKind {
  readonly route: Route;
  /** Whether its session outlives its connection; if not, it has `session: false`. */
  readonly isKept: boolean;
  /** The time-out by which it counts: T of docs/guarantees.md. */
  readonly timeoutMs: number;
  /** Whether each visit has a session of its own. */
  readonly isFresh?: boolean;
  /** Whether it speaks the line protocol instead of messages. */
  readonly isOfLines?: boolean;
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

/** Of a cluster a session lasts so many leases at least, and longer ones have time to come back after a fail-over. */
const SHORT_LEASES = 3;
const ROOMY_LEASES = 4;
const MS_A_SECOND = 1_000;

/** The client processes of a cluster whose servers have a lease of that length. */
export function clusterClients(leaseSeconds: number): readonly ClientKind[] {
  const leaseMs = leaseSeconds * MS_A_SECOND;
  const [shortMs, roomyMs] = [SHORT_LEASES * leaseMs, ROOMY_LEASES * leaseMs];
  return [
    kept('leader', shortMs),
    kept('leader', shortMs),
    kept('leader', roomyMs),
    { ...kept('leader', roomyMs), isFresh: true },
    { ...kept('leader', roomyMs), isFresh: true },
    kept('forwarded', shortMs),
    kept('forwarded', roomyMs),
    unkept('leader'),
    unkept('forwarded'),
    { ...unkept('forwarded'), isOfLines: true },
  ];
}
