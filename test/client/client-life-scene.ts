/** A server behind a proxy that can be made to fail, and clients in every state of their life. */

import type { ClientState, LockClientEvents } from '../../lib/client/client-life.ts';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';

/** Retries as fast as it can. */
export const AT_ONCE = { minDelayMs: 0, maxDelayMs: 0 } as const;
/** Makes no second attempt within a test. */
export const NEVER = { minDelayMs: 1e9, maxDelayMs: 1e9 } as const;
export const LONG_MS = 3_600_000;

/** Its clients reach the server through the proxy, and are closed when the test ends. */
export class ClientLifeScene {
  readonly server: RunningServer;
  readonly proxy: DelayingProxy;

  static async start(): Promise<ClientLifeScene> {
    const server = await startServer();
    return new ClientLifeScene(server, await DelayingProxy.start(server.port));
  }

  private constructor(server: RunningServer, proxy: DelayingProxy) {
    this.server = server;
    this.proxy = proxy;
  }

  /** A client that has not been used yet. */
  lazy(options: LockClientOptions = {}): LockClient {
    const client = new LockClient({ port: this.proxy.port, ...options });
    whenTestEnds(() => client.close());
    return client;
  }

  async connected(options: LockClientOptions = {}): Promise<LockClient> {
    const client = this.lazy(options);
    await client.connect();
    return client;
  }

  /** A client whose connection was cut, and that cannot reconnect until the proxy admits it. */
  async disconnected(options: LockClientOptions = {}): Promise<LockClient> {
    const client = await this.connected(options);
    await this.cutAndRefuse(client);
    return client;
  }

  async cutAndRefuse(client: LockClient): Promise<void> {
    const lost = new Promise((resolve) => client.once('disconnect', () => resolve(undefined)));
    this.proxy.refuse();
    this.proxy.cut();
    await lost;
  }
}

/** The events of the client from now on, each with the state of the client at that moment. */
export function statesAtEvents(client: LockClient): string[] {
  const states: string[] = [];
  const events: (keyof LockClientEvents)[] = ['connect', 'disconnect', 'error', 'close'];
  for (const event of events) {
    client.on(event, () => {
      const state: ClientState = client.state;
      states.push(`${event}: ${state}`);
    });
  }
  return states;
}
