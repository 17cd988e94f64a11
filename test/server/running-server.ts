/** Lock servers in the process of the test. */

import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { FullLockServer, type LockListenOptions } from '../../lib/foreign/full-lock-server.ts';
import type { Ledger } from '../../lib/ledger/ledger.ts';
import { MemoryLedger } from '../../lib/ledger/memory-ledger.ts';
import type { Logger } from '../../lib/message/logger.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, type LockServerLimits, withResumes } from '../../lib/server/lock-server-limits.ts';
import type { LockServerOptions } from '../../lib/server/lock-server-options.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { isClustered, startInCluster } from '../cluster/clustered-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { endTest, whenTestEnds } from './clean-up.ts';
import { RawClient, until } from './raw-client.ts';

export { RecordingLogger as LogRecorder };

/** Closed when the test ends. */
export class RunningServer {
  readonly server: FullLockServer;
  readonly port: number;

  constructor(server: FullLockServer, port: number) {
    this.server = server;
    this.port = port;
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.port);
  }

  async connectTwo(): Promise<[RawClient, RawClient]> {
    return [await this.connect(), await this.connect()];
  }

  async connectThree(): Promise<[RawClient, RawClient, RawClient]> {
    return [await this.connect(), await this.connect(), await this.connect()];
  }

  /** A client that holds a lock, and one that waits for it with request 1. */
  async connectWaiter(lockName: string): Promise<[RawClient, RawClient]> {
    const [holder, waiter] = await this.connectTwo();
    await holder.take(lockName);
    await waiter.queue(1, lockName);
    return [holder, waiter];
  }

  connectMany(count: number): Promise<RawClient[]> {
    return Promise.all(Array.from({ length: count }, () => this.connect()));
  }

  async client(options: LockClientOptions = {}): Promise<LockClient> {
    const client = await LockClient.connect({ port: this.port, ...options });
    whenTestEnds(() => client.close());
    return client;
  }
}

/** A listener on a port that the system chooses, for this machine only. */
export const LOOPBACK: { readonly host: string; readonly port: number; readonly allowed: readonly string[] } = {
  host: '127.0.0.1',
  port: 0,
  allowed: ['127.0.0.1'],
};

/** Makes a silent server without listeners whose tokens are 1, 2, 3 and so on. It is closed when the test ends. */
export function makeServer({ logger = new RecordingLogger(), ...options }: LockServerOptions = {}): FullLockServer {
  const limits = { ...DEFAULT_LOCK_SERVER_LIMITS, ...options.limits };
  const manager = new LocalLockManager({ limits: withResumes(limits), ledger: options.ledger ?? new MemoryLedger(0) });
  const server = new FullLockServer({ logger, manager, ...options });
  whenTestEnds(() => server.close());
  return server;
}

/** Has a server listen on TCP; resolves to the port. */
export async function listenOnTcp(server: FullLockServer, options: LockListenOptions = {}): Promise<number> {
  return portOf(await server.listen(tcp(LOOPBACK), options));
}

/** Waits until the server has that many connections. */
export async function untilConnections(server: FullLockServer, count: number): Promise<void> {
  await until(() => (server.commandStats() as { openConnections: number }).openConnections === count);
}

/** Starts a server of `makeServer`, with limits other than the default ones if some are given. */
export async function startServer(
  limits: Partial<LockServerLimits> = {},
  logger?: Logger,
  switches: Pick<
    LockServerOptions,
    'dump' | 'registry' | 'forceUnlock' | 'manager' | 'ledger' | 'cluster' | 'observers' | 'history'
  > = {},
  port = 0,
): Promise<RunningServer> {
  if (isClustered && switches.manager === undefined && switches.ledger === undefined)
    return await startClustered(limits, logger, switches, port);
  const server = makeServer({ limits, ...switches, ...(logger === undefined ? {} : { logger }) });
  return new RunningServer(server, portOf(await server.listen(tcp({ ...LOOPBACK, port }))));
}

/** The same as one of a cluster: see `clustered-server.ts`. */
async function startClustered(
  limits: Partial<LockServerLimits>,
  logger: Logger = new RecordingLogger(),
  switches: Pick<
    LockServerOptions,
    'dump' | 'registry' | 'forceUnlock' | 'cluster' | 'observers' | 'history' | 'history'
  >,
  port: number,
): Promise<RunningServer> {
  const all = { ...DEFAULT_LOCK_SERVER_LIMITS, ...limits };
  let server: FullLockServer | undefined;
  const makeOne = (ledger: Ledger): FullLockServer => {
    server = new FullLockServer({ ...switches, logger, limits: all, ledger });
    return server;
  };
  const listening = await startInCluster({ makeServer: makeOne, limits: all, logger, port });
  return new RunningServer(server as unknown as FullLockServer, listening);
}

/** Starts a server before each test of a suite, and cleans up after it. */
export function serverForEachTest(...options: Parameters<typeof startServer>): RunningServer {
  const running: RunningServer = Object.create(RunningServer.prototype);
  beforeEach(async () => {
    Object.assign(running, await startServer(...options));
  });
  afterEach(endTest);
  return running;
}

/** The port of a listener's address. */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
