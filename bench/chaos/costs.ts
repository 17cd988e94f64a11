/** What the faults of the chaos run may cost the clients that they hit. See docs/guarantees.md, what frees a lock. */

import type { ClientKind } from './clients.ts';
import type { FaultKind, SeenKind } from './faults.ts';

export interface Costs {
  /** Whether it may cost the client its locks. */
  readonly mayCost: boolean;
  /** Whether, until the client notices, another may hold the lock as well. */
  readonly mayOverlap: boolean;
  /** Whether, once it is over, grants wait until the time-out of a session that does not come back. */
  readonly mayDelay: boolean;
  /** How long after its end the client may notice what it has lost. */
  readonly noticeMs: number;
  /** How long after its end the client may wait for answers on a connection that is dead. */
  readonly silentMs: number;
}

/** Faults by which a proxy says that the connection has ended, so the server frees all at once unless it knows of the proxy. */
const FINS: ReadonlySet<FaultKind | SeenKind> = new Set([
  'connection cut',
  'half-closed to the server',
  'proxy killed',
]);
/** The connection is dead, and the client is told nothing of it. */
const SILENT: ReadonlySet<FaultKind | SeenKind> = new Set([
  'reset on the server side',
  'client blocked and cut off',
  'replies late and cut off',
]);
/** Longer than most sessions. */
const CUT_OFF: ReadonlySet<FaultKind | SeenKind> = new Set([
  'client blocked and cut off',
  'replies late and cut off',
  'host cut off for long',
  'server stopped for long',
]);
/** Both sides learn at once that the connection has ended. */
const ENDED: ReadonlySet<FaultKind | SeenKind> = new Set([
  'connection cut',
  'connection reset',
  'half-closed to the server',
  'half-closed to the client',
  'replies lost before a cut',
  'proxy killed',
  'known proxy killed',
  'leader connections reset',
]);
/** A quarter of the time-out until the client asks, half of it until it dials anew, and the ticks between its looks. */
const REDIAL_SHARE = 0.85;
/** What one side learns of a connection, the other does within this time. */
const AT_ONCE_MS = 500;

/** For less than a lease nothing is recorded, such as the end of a session. */
const KEEP_FROM_WRITING: ReadonlySet<FaultKind | SeenKind> = new Set([
  'server killed and loss unwritten',
  'leader cut off from etcd',
  'leader cut off from etcd for long',
  'leader killed while etcd hears nothing',
  'leader replaced and replies late',
  'leader key deleted unseen',
  'leader changed',
  'etcd member killed',
  'etcd without quorum',
  'etcd slow',
]);

/** Whether the server cannot record what must be on record before others are granted a lock. */
export function keepsFromWriting(kind: FaultKind | SeenKind): boolean {
  return KEEP_FROM_WRITING.has(kind);
}

export function costsOf(kind: FaultKind | SeenKind, client: ClientKind, isDurable: boolean): Costs {
  const { route, timeoutMs } = client;
  const silentMs = SILENT.has(kind) ? timeoutMs * REDIAL_SHARE : 0;
  const none = { mayCost: false, mayOverlap: false, mayDelay: false, noticeMs: timeoutMs, silentMs };
  if (kind === 'starved') return none;
  if (kind === 'leader cut off from etcd for long') return afterFence(client, none);
  if (changesLeader(kind)) return afterChange(client, none);
  if (endsForwarding(kind) && !client.isKept) return { ...none, mayCost: true, mayOverlap: true };
  const isRestart = isRestarting(kind);
  const mayDelay = isRestart && !kind.startsWith('server without state');
  if (!client.isKept) {
    // The holds are lost with the connection.
    const mayCost = isRestart || ENDED.has(kind) || SILENT.has(kind);
    const noticeMs = SILENT.has(kind) ? timeoutMs : AT_ONCE_MS;
    return { ...none, mayCost, mayOverlap: mayCost, mayDelay, noticeMs };
  }
  const isEnd = kind.startsWith('server without state') || (FINS.has(kind) && route === 'proxy');
  if (isEnd) return { ...none, mayCost: true, mayOverlap: true };
  // A client that finds nobody at the address gives up at once, unless locks outlive the server's process.
  if (kind === 'known proxy killed') return { ...none, mayCost: !isDurable };
  return { ...none, mayDelay, mayCost: CUT_OFF.has(kind) };
}

/** Of a cluster: a server closes what it forwards when it ends, or when etcd does not answer in time. Both sides learn of it. */
function endsForwarding(kind: FaultKind | SeenKind): boolean {
  return kind.startsWith('standby') || kind.startsWith('etcd') || kind === 'server left';
}

function changesLeader(kind: FaultKind | SeenKind): boolean {
  const isOfNetwork = kind === 'leader cut off from clients' || kind === 'leader connections reset';
  return (kind.startsWith('leader') || kind === 'all servers killed') && !isOfNetwork;
}

/** Without a session, a leader that is stopped or cut off may overlap with the next until its clients count it as lost. */
function afterChange({ isKept }: ClientKind, none: Costs): Costs {
  return { ...none, mayCost: !isKept, mayOverlap: !isKept, mayDelay: true };
}

/** C1: a leader that runs closes its own connections before another leads, so they cannot overlap, with a session or without. */
function afterFence(client: ClientKind, none: Costs): Costs {
  const costs = afterChange(client, none);
  return { ...costs, mayOverlap: costs.mayOverlap && client.route !== 'leader' };
}

function isRestarting(kind: FaultKind | SeenKind): boolean {
  return (
    kind.startsWith('server without state') ||
    kind.startsWith('server killed') ||
    kind === 'server terminated' ||
    kind === 'all killed and clock set back'
  );
}
