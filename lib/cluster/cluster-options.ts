/** What a node of a cluster is made of. */

import type { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import type { Ledger, LedgerReport } from '../ledger/ledger.ts';
import type { Listener } from '../message/byte-stream.ts';
import type { Logger } from '../message/logger.ts';
import type { KnownEtcd } from './known-etcd.ts';
import type { Policy } from './policy.ts';
import type { StandbyLimits } from './standby.ts';

/** The server that a leader runs. */
export interface LeadingServer {
  listen(listener: Listener, options: object): Promise<string>;
  /** Gives holders `drainMs` milliseconds, or until the signal aborts. */
  close(options?: { readonly drainMs?: number; readonly signal?: AbortSignal }): Promise<void>;
}

/** One listener, and the options with which a server listens on it. */
export interface ClusterListener {
  readonly listener: Listener;
  readonly options: object;
}

export interface ClusterNodeOptions {
  readonly client: EtcdClient;
  /** Of all keys in etcd: `holdfast/`. */
  readonly prefix: string;
  readonly node: string;
  /** Where clients reach this node: `host:port`. */
  readonly address: string;
  readonly leaseSeconds: number;
  readonly policy: Policy;
  readonly listeners: readonly ClusterListener[];
  /** Takes the connections that other nodes forward. */
  readonly forwardListener: Listener;
  readonly limits: StandbyLimits;
  readonly known: KnownEtcd;
  readonly logger: Logger;
  readonly report: LedgerReport;
  /** The wall clock, in milliseconds: tokens begin there. `Date.now` by default. */
  readonly nowMs?: () => number;
  /** Makes the server of a term. */
  readonly makeServer: (ledger: Ledger, describe: () => Promise<object>) => LeadingServer;
}
