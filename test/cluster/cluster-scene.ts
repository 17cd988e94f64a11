/** Clusters on a real etcd that the tests of a file share; each test has keys of its own. */

import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { ClusterNode } from '../../lib/cluster/cluster-node.ts';
import { KnownEtcd } from '../../lib/cluster/known-etcd.ts';
import { FullLockServer, type LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import { EtcdClient } from '../../lib/ledger/etcd/etcd-client.ts';
import type { LedgerReport } from '../../lib/ledger/ledger.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, type LockServerLimits } from '../../lib/server/lock-server-limits.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { DelayingProxy } from '../client/delaying-proxy.ts';
import { needs } from '../foreign/system-program.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { LOOPBACK } from '../server/running-server.ts';
import { type Etcd, type EtcdSettings, startEtcd } from '../support/etcd.ts';
import { freePort } from '../support/free-port.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const LEASE_SECONDS = 2;
/** C6: three leases. */
const SESSION_TIMEOUT_MS = 3_000 * LEASE_SECONDS;

/** How a server of a test differs from the others. */
export interface NodeOptions {
  readonly limits?: Partial<LockServerLimits>;
  /** How its listener is served. */
  readonly listen?: LockListenOptions;
  readonly endpoints?: readonly string[];
  /** Where it tells clients to connect, if not to its own port. */
  readonly advertised?: string;
  readonly user?: string;
  readonly password?: string;
  /** Where it remembers etcd, and whether it accepts what it finds. */
  readonly directory?: string;
  readonly isRaised?: boolean;
  /** Called when the server of a term is made. */
  readonly whenMade?: () => void;
}

/** Waits for what takes a cluster as long as a lease: with pauses between the checks, since it would keep a core busy. */
export function untilCluster(condition: () => boolean): Promise<void> {
  return until(() => Promise.resolve(condition()));
}

/** One server of a cluster, in the process of the test. */
export class RunningNode {
  readonly name: string;
  readonly port: number;
  readonly node: ClusterNode;
  readonly logger: RecordingLogger;
  /** The server of its last term. */
  server: FullLockServer | undefined;

  constructor(name: string, port: number, logger: RecordingLogger, make: (running: RunningNode) => ClusterNode) {
    this.name = name;
    this.port = port;
    this.logger = logger;
    this.node = make(this);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.port);
  }

  /** Resolves once a message of the log begins like this. */
  untilLogged(beginning: string): Promise<void> {
    return untilCluster(() => this.logger.entries.some(({ message }) => message.startsWith(beginning)));
  }

  get isLeading(): boolean {
    return this.#role === 'leads';
  }

  get isStandingBy(): boolean {
    return this.#role === 'stands by';
  }

  get #role(): string | undefined {
    return this.logger.entries.findLast(({ message }) => /^leads|^stands by|^left/.test(message))?.message;
  }
}

/** The etcd of a file, and the keys of one test. */
export class ClusterScene {
  etcd!: Etcd;
  prefix = '';
  readonly nodes: RunningNode[] = [];

  /** Starts a server; resolves once it listens and has tried to join. Rejects as `ClusterNode.start` does. */
  async start(name: string, options: NodeOptions = {}): Promise<RunningNode> {
    const limits = { ...DEFAULT_LOCK_SERVER_LIMITS, minSessionTimeoutMs: SESSION_TIMEOUT_MS, ...options.limits };
    const { endpoints = this.etcd.endpoints, user, password } = options;
    const login = user === undefined ? {} : { user, password: password ?? '' };
    const client = await EtcdClient.open({ endpoints, timeoutMs: 500, ...login });
    const logger = new RecordingLogger();
    const report: LedgerReport = {
      tell: (level, message) => logger[level]({}, message),
      fail: (error) => logger.error({}, String(error)),
    };
    const { directory, isRaised = false } = options;
    const known = await KnownEtcd.open({ directory, isRaised, report });
    const running = new RunningNode(
      name,
      await freePort(),
      logger,
      (self) =>
        new ClusterNode({
          client,
          prefix: this.prefix,
          node: name,
          address: options.advertised ?? self.address,
          leaseSeconds: LEASE_SECONDS,
          policy: { 'limits.maxLocks': limits.maxLocks },
          listeners: [{ listener: tcp({ ...LOOPBACK, port: self.port }), options: options.listen ?? {} }],
          forwardListener: tcp(LOOPBACK),
          limits,
          known,
          logger,
          report,
          makeServer: (ledger, describe) => {
            self.server = new FullLockServer({ limits, logger, ledger, cluster: { describe } });
            options.whenMade?.();
            return self.server;
          },
        }),
    );
    whenTestEnds(() => running.node.close());
    await running.node.start();
    this.nodes.push(running);
    return running;
  }

  /** Starts several, and resolves once one of them leads and the others know. */
  async startAll(
    ...names: readonly string[]
  ): Promise<{ readonly leader: RunningNode; readonly others: RunningNode[] }> {
    const nodes: RunningNode[] = [];
    for (const name of names) nodes.push(await this.start(name));
    return await this.settled(nodes);
  }

  /** Resolves once one of the servers leads and the others know. */
  async settled(
    nodes: readonly RunningNode[] = this.nodes,
  ): Promise<{ readonly leader: RunningNode; readonly others: RunningNode[] }> {
    await untilCluster(
      () =>
        nodes.filter((each) => each.isLeading).length === 1 &&
        nodes.every((each) => each.isLeading || each.isStandingBy),
    );
    const leader = nodes.find((each) => each.isLeading) as RunningNode;
    return { leader, others: nodes.filter((each) => each !== leader) };
  }

  /** Starts a server that reaches etcd by a proxy, and leads. */
  async startBehindProxy(
    name: string,
    options: NodeOptions = {},
  ): Promise<{ readonly node: RunningNode; readonly proxy: DelayingProxy }> {
    const proxy = await DelayingProxy.start(Number(new URL(this.etcd.endpoints[0] as string).port));
    const endpoints = [`http://127.0.0.1:${proxy.port}`];
    return { node: await this.start(name, { ...options, endpoints }), proxy };
  }

  get leaderKey(): string {
    return `${this.prefix}leader`;
  }

  /** What etcd has of the leader; empty if there is none. */
  leaderText(): string {
    return this.etcd.control('get', '--print-value-only', this.leaderKey);
  }

  client(options: LockClientOptions = {}): LockClient {
    const client = new LockClient({ reconnect: { minDelayMs: 1, maxDelayMs: 50 }, ...options });
    whenTestEnds(() => client.close());
    return client;
  }
}

let count = 0;

/** Starts an etcd for the tests of a suite, with keys of its own for each test. */
export function clusterForEachTest(settings: EtcdSettings = {}): ClusterScene {
  const scene = new ClusterScene();
  before(async function () {
    needs(this, 'etcd', 'etcdctl');
    scene.etcd = await startEtcd(settings);
  });
  beforeEach(() => {
    count += 1;
    scene.prefix = `test${count}/`;
    scene.nodes.length = 0;
  });
  afterEach(endTest);
  after(async () => await scene.etcd?.stop());
  return scene;
}
