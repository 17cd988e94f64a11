/** The faults of the chaos run: whom each hits, and how long it lasts. See costs.ts for what each may cost. */

import { type ClientKind, ROOMY_TIMEOUT_MS, type Route } from './clients.ts';

/** Faults of one client process or its connection. */
export type ClientFaultKind =
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
  | 'replies late and cut off'
  | 'host cut off'
  | 'host cut off for long'
  | 'host vanished';

/** Faults of the server, of its disk or of a proxy. */
export type ServerFaultKind =
  | 'server without state killed'
  | 'server without state terminated'
  | 'server killed'
  | 'server killed twice'
  | 'server terminated'
  | 'server stopped'
  | 'server stopped for long'
  | 'server killed and clock set back'
  | 'all killed and clock set back'
  | 'server killed and disk full'
  | 'server killed and disk read-only'
  | 'server killed and loss unheard'
  | 'server killed and loss unwritten'
  | 'disk full'
  | 'second server on the state'
  | 'proxy killed'
  | 'known proxy killed';

/** Faults of the servers of a cluster, of its etcd, and of the network between them and their clients. */
export type ClusterFaultKind =
  | 'leader killed'
  | 'leader terminated'
  | 'leader told to step down'
  | 'leader stopped'
  | 'leader cut off from etcd'
  | 'leader cut off from etcd for long'
  | 'leader cut off from clients'
  | 'leader connections reset'
  | 'leader killed while etcd hears nothing'
  | 'leader replaced and replies late'
  | 'leader clock set forward and back'
  | 'leader key deleted'
  | 'leader key deleted unseen'
  | 'standby killed'
  | 'standby stopped'
  | 'all servers killed'
  | 'etcd member killed'
  | 'etcd without quorum'
  | 'etcd slow'
  | 'etcd compacted';

export type FaultKind = ClientFaultKind | ServerFaultKind | ClusterFaultKind;

/** What nobody injected: processes had to wait for a processor, a cluster has another leader, a server has left it. */
export type SeenKind = 'starved' | 'leader changed' | 'server left';

/** A fault that was injected, or seen. */
export interface Fault {
  readonly kind: FaultKind | SeenKind;
  /** The client process that it hits; undefined when it hits all of a route, or all. */
  readonly client: number | undefined;
  readonly route: Route | undefined;
  readonly fromMs: number;
  untilMs: number;
}

/** How a kind of fault is drawn. */
export interface FaultKindOptions {
  /** The clients that it may hit. */
  readonly routes: readonly Route[];
  /** Which of these clients it may hit; all if undefined. */
  readonly suits?: (client: ClientKind) => boolean;
  /** From and to, in milliseconds, or as multiples of the time-out of a session, or of the lease of a cluster's servers. */
  readonly ms?: readonly [number, number];
  readonly timeouts?: readonly [number, number];
  readonly leases?: readonly [number, number];
  /** Whether it takes a server with a state directory, or one without; undefined if either does. */
  readonly isDurable?: boolean;
  /** Whether it takes a disk of its own, which only root can mount. */
  readonly needsDisk?: boolean;
  /** How often it comes in each round; once if undefined. */
  readonly times?: number;
}

const ALL: readonly Route[] = ['direct', 'proxy', 'proxiedListener', 'host', 'leader', 'forwarded'];
const PROXIES: readonly Route[] = ['proxy', 'proxiedListener'];
/** The server cannot know of the loss, so without a session the locks would be held for as long as the proxy lives. */
const isKept = (client: ClientKind): boolean => client.isKept;
/** The client hears nothing of it: with a shorter time-out it may find out too late. */
const hasTime = (client: ClientKind): boolean => client.timeoutMs >= ROOMY_TIMEOUT_MS;

export const CLIENT_FAULTS: Readonly<Record<ClientFaultKind, FaultKindOptions>> = {
  'client killed': { routes: ALL, ms: [0, 0] },
  'client stopped': { routes: ALL, ms: [100, 800] },
  'client stopped for long': { routes: ALL, timeouts: [1.1, 1.5] },
  'client blocked': { routes: ALL, ms: [100, 800] },
  'client blocked for long': { routes: ALL, timeouts: [1.1, 1.5] },
  'client blocked and cut off': { routes: PROXIES, timeouts: [1.2, 1.6] },
  'connection cut': { routes: PROXIES, ms: [0, 0] },
  'connection reset': { routes: PROXIES, ms: [0, 300] },
  'reset on the client side': { routes: PROXIES, suits: isKept, ms: [0, 0] },
  'reset on the server side': { routes: PROXIES, suits: hasTime, ms: [0, 0] },
  'delay to the server': { routes: PROXIES, ms: [50, 700] },
  'delay to the client': { routes: PROXIES, ms: [50, 700] },
  'half-closed to the server': { routes: PROXIES, ms: [0, 0] },
  'half-closed to the client': { routes: PROXIES, ms: [0, 0] },
  'replies lost before a cut': { routes: PROXIES, ms: [50, 400] },
  'replies late and cut off': { routes: PROXIES, timeouts: [1.2, 1.5] },
  'host cut off': { routes: ['host'], ms: [100, 900] },
  'host cut off for long': { routes: ['host'], timeouts: [1.2, 1.6] },
  'host vanished': { routes: ['host'], ms: [0, 0] },
};

/** A server that is stopped is so for less than the clients' deadline, or for longer than the session. */
export const SERVER_FAULTS: Readonly<Record<ServerFaultKind, FaultKindOptions>> = {
  'server without state killed': { routes: ALL, ms: [0, 400], isDurable: false, times: 2 },
  'server without state terminated': { routes: ALL, ms: [0, 400], isDurable: false, times: 2 },
  'server killed': { routes: ALL, ms: [0, 400], isDurable: true },
  'server killed twice': { routes: ALL, ms: [0, 200], isDurable: true },
  'server terminated': { routes: ALL, ms: [0, 400], isDurable: true },
  'server stopped': { routes: ALL, ms: [300, 1_200] },
  'server stopped for long': { routes: ALL, timeouts: [1.1, 1.3] },
  'server killed and clock set back': { routes: ALL, ms: [0, 400], isDurable: true },
  'all killed and clock set back': { routes: ALL, ms: [0, 400], isDurable: true },
  'server killed and disk full': { routes: ALL, ms: [100, 400], isDurable: true, needsDisk: true },
  'server killed and disk read-only': { routes: ALL, ms: [100, 400], isDurable: true, needsDisk: true },
  'server killed and loss unheard': { routes: ALL, ms: [200, 600], isDurable: true },
  'server killed and loss unwritten': { routes: ALL, ms: [200, 600], isDurable: true, needsDisk: true },
  'disk full': { routes: ALL, ms: [500, 1_500], isDurable: true, needsDisk: true },
  'second server on the state': { routes: ALL, ms: [0, 0], isDurable: true },
  'proxy killed': { routes: ['proxy'], ms: [0, 200] },
  'known proxy killed': { routes: ['proxiedListener'], ms: [0, 200] },
};

/**
 * Those of less than a lease cost nobody a lock who has time to come back. `for long` lasts until the next leader no longer waits for the
 * clients of the one before, `late` and `unseen` for less. See `clusterClients`.
 */
export const CLUSTER_FAULTS: Readonly<Record<ClusterFaultKind, FaultKindOptions>> = {
  'leader killed': { routes: ALL, ms: [0, 3_000], times: 2 },
  'leader terminated': { routes: ALL, ms: [0, 1_000] },
  'leader told to step down': { routes: ALL, ms: [0, 0] },
  'leader stopped': { routes: ALL, ms: [1_000, 12_000], times: 2 },
  'leader cut off from etcd': { routes: ALL, ms: [500, 8_000] },
  'leader cut off from etcd for long': { routes: ALL, leases: [7, 7.5] },
  'leader cut off from clients': { routes: ['leader'], ms: [500, 8_000] },
  'leader connections reset': { routes: ['leader'], ms: [0, 0] },
  'leader killed while etcd hears nothing': { routes: ALL, ms: [500, 900] },
  'leader replaced and replies late': { routes: ALL, leases: [6.6, 6.9] },
  'leader clock set forward and back': { routes: ALL, ms: [100, 3_000] },
  'leader key deleted': { routes: ALL, ms: [0, 0] },
  'leader key deleted unseen': { routes: ALL, leases: [4.6, 4.9] },
  'standby killed': { routes: ['forwarded'], ms: [0, 2_000] },
  'standby stopped': { routes: ['forwarded'], ms: [500, 8_000] },
  'all servers killed': { routes: ALL, ms: [0, 500] },
  'etcd member killed': { routes: ALL, ms: [0, 3_000] },
  'etcd without quorum': { routes: ALL, ms: [1_000, 8_000] },
  'etcd slow': { routes: ALL, ms: [1_000, 5_000] },
  'etcd compacted': { routes: ALL, ms: [0, 0] },
};
