/** The faults of the chaos run: how often each comes, how long it lasts, and what it may cost. */

/** How the connection of a client process runs. */
export type Route = 'direct' | 'proxy' | 'proxiedListener';

export type FaultKind =
  | 'server killed'
  | 'server with a state directory killed'
  | 'client killed'
  | 'client stopped'
  | 'client stopped for long'
  | 'client blocked'
  | 'client blocked for long'
  | 'client blocked and cut off'
  | 'connection cut'
  | 'connection reset'
  | 'reset on the client side'
  | 'reset on the server side'
  | 'delay to the server'
  | 'delay to the client'
  | 'half-closed to the server'
  | 'half-closed to the client'
  | 'replies lost before a cut'
  | 'replies late, and cut off'
  | 'proxy killed';

/** A fault that was injected. */
export interface Fault {
  readonly kind: FaultKind;
  /** The client process that it hits; undefined when it hits all of a route, or all. */
  readonly client: number | undefined;
  readonly route: Route | undefined;
  readonly fromMs: number;
  untilMs: number;
  /** Whether it may end the session. */
  readonly mayCost: boolean;
  /** Whether, within the client's deadline, another may hold the lock as well: see docs/guarantees.md, what frees a lock. */
  readonly mayOverlap: boolean;
}

/** How a kind of fault is drawn. */
export interface FaultKindOptions {
  readonly weight: number;
  readonly routes: readonly Route[];
  /** From and to, in milliseconds, or as multiples of the session's time-out. */
  readonly ms?: readonly [number, number];
  readonly timeouts?: readonly [number, number];
}

const ALL: readonly Route[] = ['direct', 'proxy', 'proxiedListener'];
const PROXIES: readonly Route[] = ['proxy', 'proxiedListener'];

/** Rare ones cost more time, or cost everybody a session and so hide other mistakes. */
export const FAULT_KINDS: Readonly<Record<FaultKind, FaultKindOptions>> = {
  'server killed': { weight: 1, routes: ALL, ms: [0, 400] },
  'server with a state directory killed': { weight: 1, routes: ALL, ms: [0, 400] },
  'client killed': { weight: 4, routes: ALL, ms: [0, 0] },
  'client stopped': { weight: 3, routes: ALL, ms: [100, 800] },
  'client stopped for long': { weight: 1, routes: ALL, timeouts: [1.1, 1.5] },
  'client blocked': { weight: 3, routes: ALL, ms: [100, 800] },
  'client blocked for long': { weight: 1, routes: ALL, timeouts: [1.1, 1.5] },
  'client blocked and cut off': { weight: 3, routes: PROXIES, timeouts: [1.2, 1.6] },
  'connection cut': { weight: 3, routes: PROXIES, ms: [0, 0] },
  'connection reset': { weight: 5, routes: PROXIES, ms: [0, 300] },
  'reset on the client side': { weight: 4, routes: PROXIES, ms: [0, 0] },
  'reset on the server side': { weight: 4, routes: PROXIES, ms: [0, 0] },
  'delay to the server': { weight: 3, routes: PROXIES, ms: [50, 700] },
  'delay to the client': { weight: 3, routes: PROXIES, ms: [50, 700] },
  'half-closed to the server': { weight: 2, routes: PROXIES, ms: [0, 0] },
  'half-closed to the client': { weight: 2, routes: PROXIES, ms: [0, 0] },
  'replies lost before a cut': { weight: 4, routes: PROXIES, ms: [50, 400] },
  'replies late, and cut off': { weight: 4, routes: PROXIES, timeouts: [1.2, 1.5] },
  'proxy killed': { weight: 2, routes: PROXIES, ms: [0, 200] },
};

/** Faults by which a proxy says that the connection has ended, so the server frees all at once unless it knows of the proxy. */
const FINS: ReadonlySet<FaultKind> = new Set([
  'connection cut',
  'half-closed to the server',
  'half-closed to the client',
  'proxy killed',
]);
const SERVER_KILLS: ReadonlySet<FaultKind> = new Set(['server killed', 'server with a state directory killed']);
/** Longer than the session. */
const CUT_OFF: ReadonlySet<FaultKind> = new Set(['client blocked and cut off', 'replies late, and cut off']);

/** The state that decides what a fault may cost. */
export interface FaultSetting {
  /** Whether the server has a state directory. */
  readonly isDurable: boolean;
  /** Whether sessions outlive a server with a state directory. */
  readonly keepsOverRestart: boolean;
}

/** Whether a fault may end a session, and whether there may be two holders until the client's deadline. */
export function costOf(
  kind: FaultKind,
  route: Route | undefined,
  { isDurable, keepsOverRestart }: FaultSetting,
): { readonly mayCost: boolean; readonly mayOverlap: boolean } {
  if (SERVER_KILLS.has(kind)) {
    const mayCost = !(isDurable && keepsOverRestart);
    return { mayCost, mayOverlap: mayCost };
  }
  if (FINS.has(kind) && route === 'proxy') return { mayCost: true, mayOverlap: true };
  // A client that finds nobody at the address gives up at once, unless locks outlive the server's process.
  if (kind === 'proxy killed') return { mayCost: !isDurable, mayOverlap: false };
  return { mayCost: CUT_OFF.has(kind), mayOverlap: false };
}

/** Draws a kind by the weights. */
export function drawKind(random: () => number): FaultKind {
  const kinds = Object.entries(FAULT_KINDS) as [FaultKind, FaultKindOptions][];
  let left = random() * kinds.reduce((sum, [, { weight }]) => sum + weight, 0);
  for (const [kind, { weight }] of kinds) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'connection reset';
}
