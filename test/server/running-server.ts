/** A lock server of the test's own process, on a port that the system chose. */

import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import type { Logger } from '../../lib/message/logger.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import {
  DEFAULT_LOCK_SERVER_LIMITS,
  type LockServerLimits,
  type LockServerOptions,
} from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { endTest, whenTestEnds } from './clean-up.ts';
import { RawClient } from './raw-client.ts';

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

  /** A client that holds a lock, and one that waits for it by its request 1. */
  async connectWaiter(lockName: string): Promise<[RawClient, RawClient]> {
    const [holder, waiter] = await this.connectTwo();
    await holder.take(lockName);
    await waiter.queue(1, lockName);
    return [holder, waiter];
  }

  /** As many as are wanted. */
  connectMany(count: number): Promise<RawClient[]> {
    return Promise.all(Array.from({ length: count }, () => this.connect()));
  }

  async client(options: LockClientOptions = {}): Promise<LockClient> {
    const client = await LockClient.connect({ port: this.port, ...options });
    whenTestEnds(() => client.close());
    return client;
  }
}

/** Starts a server whose tokens are 1, 2, 3 and so on, with limits other than the default ones if some are given. */
export async function startServer(
  limits: Partial<LockServerLimits> = {},
  logger?: Logger,
  switches: Pick<LockServerOptions, 'dump' | 'registry' | 'forceUnlock' | 'manager'> = {},
  port = 0,
): Promise<RunningServer> {
  let token = 0;
  const manager = new LocalLockManager({
    limits: { ...DEFAULT_LOCK_SERVER_LIMITS, ...limits },
    nextToken: () => {
      token += 1;
      return token;
    },
  });
  const server = new FullLockServer({ limits, manager, ...switches, ...(logger === undefined ? {} : { logger }) });
  whenTestEnds(() => server.close());
  const address = await server.listen(tcp({ host: '127.0.0.1', port, allowed: ['127.0.0.1'] }));
  return new RunningServer(server, portOf(address));
}

/** Starts one anew for each test of the suite; clean-up is done behind each test. */
export function serverForEachTest(...options: Parameters<typeof startServer>): RunningServer {
  const running: RunningServer = Object.create(RunningServer.prototype);
  beforeEach(async () => {
    Object.assign(running, await startServer(...options));
  });
  afterEach(endTest);
  return running;
}

/** The port of an address as a listener tells it. */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
