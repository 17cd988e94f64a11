/** Makes the node of a server that belongs to a cluster, from the settings. */

import { readFileSync } from 'node:fs';
import { ClusterNode } from '../cluster/cluster-node.ts';
import type { LeadingServer } from '../cluster/cluster-options.ts';
import { KnownEtcd } from '../cluster/known-etcd.ts';
import type { Policy } from '../cluster/policy.ts';
import { FullLockServer } from '../foreign/full-lock-server.ts';
import { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import type { Logger } from '../message/logger.ts';
import type { LockServerLimits } from '../server/lock-server-limits.ts';
import type { LockServerOptions } from '../server/lock-server-options.ts';
import { leastSessionTimeoutMs, nodeName } from './cluster-settings.ts';
import type { PlannedListener } from './listeners.ts';
import { withAccount } from './privileges.ts';
import { type Settings, SettingsError } from './settings.ts';
import { ledgerReport } from './state.ts';

/** What etcd is asked for may take this share of the lease. */
const CALL_SHARE = 1 / 5;
const MS_A_SECOND = 1_000;

/** What a node of a cluster is made of, beside its settings. */
export interface ClusterParts {
  readonly planned: readonly PlannedListener[];
  /** Takes the connections that other servers forward. */
  readonly forwarding: PlannedListener;
  readonly limits: LockServerLimits;
  readonly logger: Logger;
  /** The options of the server that leads. */
  readonly serverOptions: LockServerOptions;
  /** Accepts what etcd has now, although it was set back. */
  readonly isRaised: boolean;
  /** Told of the server of each term. */
  readonly onServer: (server: FullLockServer) => void;
}

/**
 * Makes the node; it has not started. Rejects with a `SettingsError` for a file that cannot be read, with an Error of `user`, or with a
 * `LedgerError` when the package `@grpc/grpc-js` is not installed or the state directory cannot be used.
 */
export async function makeClusterNode(settings: Settings, parts: ClusterParts): Promise<ClusterNode> {
  const { cluster, stateDirectory } = settings;
  const { planned, forwarding, logger, serverOptions, isRaised, onServer } = parts;
  const minSessionTimeoutMs = Math.max(parts.limits.minSessionTimeoutMs, leastSessionTimeoutMs(cluster));
  const limits = { ...parts.limits, minSessionTimeoutMs };
  const report = ledgerReport(logger);
  const client = await openClient(settings);
  // The file must belong to the user that the server becomes, since it must write it then.
  const known = await withAccount(settings, () =>
    KnownEtcd.open({ directory: stateDirectory === '' ? undefined : stateDirectory, isRaised, report }),
  );
  return new ClusterNode({
    client,
    prefix: cluster.prefix,
    node: nodeName(cluster),
    address: cluster.advertise,
    leaseSeconds: cluster.leaseSeconds,
    policy: policyOf(settings),
    listeners: planned,
    forwardListener: forwarding.listener,
    limits,
    known,
    logger,
    report,
    makeServer: (ledger, describe): LeadingServer => {
      const server = new FullLockServer({ ...serverOptions, limits, ledger, cluster: { describe } });
      onServer(server);
      return server;
    },
  });
}

/**
 * Resolves to a client of the etcd of the settings. Rejects with a `SettingsError` for a file that cannot be read, or with a `LedgerError` when
 * the package `@grpc/grpc-js` is not installed.
 */
export async function openClient({ cluster }: Settings): Promise<EtcdClient> {
  const { etcd, tls, user, password, leaseSeconds } = cluster;
  const [ca, cert, key] = [readFile('ca', tls.ca), readFile('cert', tls.cert), readFile('key', tls.key)];
  return await EtcdClient.open({
    endpoints: etcd,
    timeoutMs: leaseSeconds * MS_A_SECOND * CALL_SHARE,
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    ...(user === '' ? {} : { user, password }),
  });
}

function readFile(name: string, file: string): Buffer | undefined {
  if (file === '') return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SettingsError(`settings.cluster.tls.${name}: ${(error as Error).message}`);
  }
}

/** What clients may rely on, whichever server leads. */
function policyOf({ limits, dump, registry, forceUnlock, cluster }: Settings): Policy {
  const { leaseSeconds } = cluster;
  const each = Object.entries(limits).map(([name, value]) => [`limits.${name}`, value] as const);
  return { ...Object.fromEntries(each), dump, registry, forceUnlock, 'cluster.leaseSeconds': leaseSeconds };
}
