/**
 * Runs the tests that start a server in their own process on a cluster: `HOLDFAST_TEST_CLUSTER=leader` has their clients connect to the
 * server that leads, `standby` to one that forwards them.
 */

import { ClusterNode } from '../../lib/cluster/cluster-node.ts';
import type { LeadingServer } from '../../lib/cluster/cluster-options.ts';
import { KnownEtcd } from '../../lib/cluster/known-etcd.ts';
import { EtcdClient } from '../../lib/ledger/etcd/etcd-client.ts';
import type { Ledger, LedgerReport } from '../../lib/ledger/ledger.ts';
import type { Logger } from '../../lib/message/logger.ts';
import type { LockServerLimits } from '../../lib/server/lock-server-limits.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { type Etcd, startEtcd } from '../support/etcd.ts';
import { freePort } from '../support/free-port.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const MODE = process.env.HOLDFAST_TEST_CLUSTER ?? '';
/** No test is stopped for so long that it loses the lease. */
const LEASE_SECONDS = 60;
const LOOPBACK = { host: '127.0.0.1', allowed: ['127.0.0.1'] } as const;

export const isClustered: boolean = MODE !== '';

let etcd: Promise<Etcd> | undefined;
let count = 0;

/** How the server of a test is made. */
interface ServerOptions {
  readonly makeServer: (ledger: Ledger) => LeadingServer;
  readonly limits: LockServerLimits;
  readonly logger: Logger;
  /** 0 for any. */
  readonly port: number;
}

/** Resolves to the port for the clients. All is closed when the test ends. */
export async function startInCluster(options: ServerOptions): Promise<number> {
  etcd ??= startEtcd();
  const { endpoints } = await etcd;
  count += 1;
  const prefix = `test${count}/`;
  const leader = await startNode('leader', endpoints, prefix, options);
  if (MODE !== 'standby') return leader.port;
  const logger = new RecordingLogger();
  const standby = await startNode('standby', endpoints, prefix, { ...options, logger, port: 0 });
  await until(() => logger.shown.includes('stands by'));
  return standby.port;
}

async function startNode(
  name: string,
  endpoints: readonly string[],
  prefix: string,
  { makeServer, limits, logger, port: given }: ServerOptions,
): Promise<{ readonly port: number }> {
  const port = given === 0 ? await freePort() : given;
  const client = await EtcdClient.open({ endpoints, timeoutMs: 5_000 });
  let isLeading = false;
  const report: LedgerReport = {
    tell: () => {},
    fail: (error) => {
      throw error;
    },
  };
  const node = new ClusterNode({
    client,
    prefix,
    node: name,
    address: `127.0.0.1:${port}`,
    leaseSeconds: LEASE_SECONDS,
    policy: {},
    listeners: [{ listener: tcp({ ...LOOPBACK, port }), options: {} }],
    forwardListener: tcp({ ...LOOPBACK, port: 0 }),
    limits,
    known: await KnownEtcd.open({ directory: undefined, isRaised: false, report }),
    logger: {
      ...quiet(logger),
      info: (_details, message) => {
        isLeading ||= message === 'leads';
        if (message === 'stands by') logger.info({}, message);
      },
    },
    report,
    // The tests expect the tokens 1, 2, 3 and so on.
    nowMs: () => 0,
    makeServer,
  });
  whenTestEnds(() => node.close());
  await node.start();
  if (name === 'leader') await until(() => isLeading);
  return { port };
}

const ABOUT_ETCD = /^etcd \d/;

/** What a server logs is compared; a node adds nothing to it, and says nothing of the release of etcd. */
function quiet(logger: Logger): Logger {
  return {
    debug: () => {},
    info: () => {},
    warn: (details, message) => {
      if (!ABOUT_ETCD.test(message)) logger.warn(details, message);
    },
    error: (details, message) => logger.error(details, message),
  };
}
