/** The server of the running test, a proxy that can fail, and clients. Tests import the parts that they use. */

import { expect } from 'chai';
import type { LockClientEvents } from '../../lib/client/connection-keeper.ts';
import { LockClient, type LockClientOptions } from '../../lib/client/lock-client.ts';
import type { LockLostError } from '../../lib/client/lock-error.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { LogRecorder, type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy, type Direction } from './delaying-proxy.ts';

/** Retries as fast as it can. */
export const AT_ONCE = { minDelayMs: 0, maxDelayMs: 0 } as const;
/** Makes no second attempt within a test. */
export const NEVER = { minDelayMs: 1e9, maxDelayMs: 1e9 } as const;
/** Longer than any test. */
export const LONG_MS = 3_600_000;

/** The options that say where a server is. */
const PLACES = ['port', 'path', 'dial', 'url'];

export let server: RunningServer;
export let proxy: DelayingProxy;
/** Reaches the server through the proxy. */
export let client: LockClient;
/** Reaches the server directly, and sees what it does. */
export let other: LockClient;

export interface SceneOptions {
  readonly limits?: Parameters<typeof startServer>[0];
  readonly switches?: Parameters<typeof startServer>[2];
  /** Of the client that reaches the server through the proxy. */
  readonly client?: LockClientOptions;
  /** Of the other client. */
  readonly other?: LockClientOptions;
}

/** Starts a server and its proxy before each test of a suite, and cleans up after it. */
export function serverScene({ limits, switches }: SceneOptions = {}): void {
  beforeEach(async () => {
    server = await startServer(limits, new LogRecorder(), switches);
    proxy = await DelayingProxy.start(server.port);
  });
  afterEach(endTest);
}

/** Starts a server, its proxy and two clients before each test of a suite, and cleans up after it. */
export function clientScene(options: SceneOptions = {}): void {
  serverScene(options);
  beforeEach(async () => {
    client = await throughProxy(options.client);
    other = await server.client(options.other);
  });
}

/** A client that has not been used yet. It reaches the server through the proxy unless the options say otherwise. */
export function lazyClient(options: LockClientOptions = {}): LockClient {
  const lazy = new LockClient(PLACES.some((place) => place in options) ? options : { port: proxy.port, ...options });
  whenTestEnds(() => lazy.close());
  return lazy;
}

/** A further client that reaches the server through the proxy. */
export async function throughProxy(options: LockClientOptions = {}): Promise<LockClient> {
  return await server.client({ port: proxy.port, ...options });
}

/** A client without a connection; it cannot reconnect until the proxy admits it. */
export async function disconnected(options: LockClientOptions = {}): Promise<LockClient> {
  const cut = await throughProxy(options);
  await cutAndRefuse(cut);
  return cut;
}

/** Cuts the connection of a client and refuses others. Resolves when the client has noticed. */
export async function cutAndRefuse(cut: LockClient): Promise<void> {
  const lost = emitted(cut, 'disconnect');
  proxy.refuse();
  proxy.cut();
  await lost;
}

/** Resets the connection of a client that keeps its session; resolves when the client has noticed. */
export async function reset(kept: LockClient): Promise<void> {
  const suspended = emitted(kept, 'suspend');
  proxy.reset();
  await suspended;
}

/** Makes a call, and returns when the proxy holds its request back. */
export async function delayRequest<Asked>(ask: () => Asked): Promise<{ readonly asked: Asked }> {
  return await delayOf('toServer', ask);
}

/** Makes a call, and returns when the proxy holds its answer back. */
export async function delayAnswer<Asked>(ask: () => Asked): Promise<{ readonly asked: Asked }> {
  return await delayOf('toClient', ask);
}

async function delayOf<Asked>(direction: Direction, ask: () => Asked): Promise<{ readonly asked: Asked }> {
  proxy.delay(direction);
  const asked = ask();
  await proxy.holds(direction);
  return { asked };
}

/** Asks for `jobs` while it is held, then releases it; returns when the proxy holds the grant back. */
export async function delayGrant<Asked>(ask: () => Asked): Promise<{ readonly asked: Asked }> {
  const held = await other.lock('jobs');
  const asked = ask();
  await client.rpc('ping');
  proxy.delay('toClient');
  await held.release();
  await proxy.holds('toClient');
  return { asked };
}

/** Resolves at the next event of that name, to the first value that comes with it. */
export function emitted(from: LockClient, event: keyof LockClientEvents): Promise<unknown> {
  return new Promise((resolve) => from.once(event, (...values: readonly unknown[]) => resolve(values[0])));
}

/** The events of a client from now on, each with the state of the client at that moment. */
export function statesAtEvents(from: LockClient): string[] {
  const states: string[] = [];
  const events: (keyof LockClientEvents)[] = ['connect', 'disconnect', 'error', 'close'];
  for (const event of events) from.on(event, () => states.push(`${event}: ${from.state}`));
  return states;
}

/** Resolves to the loss when a lock is lost. */
export function whenLost({ signal }: { readonly signal: AbortSignal }): Promise<LockLostError> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(signal.reason as LockLostError), { once: true });
  });
}

/** Expects that the lock has no holder and no waiter, as the other client sees it. */
export async function isFree(name: string = 'jobs'): Promise<void> {
  expect(await other.inspect(name)).to.include({ holderCount: 0, waiterCount: 0 });
}

/** Expects that many requests for the lock wait, counting all that the client made before. */
export async function waits(count: number, name: string = 'jobs'): Promise<void> {
  await client.rpc('ping');
  expect((await other.inspect(name)).waiterCount).to.equal(count);
}

/** The tokens of the holders of a lock. */
export async function tokensOf(name: string): Promise<number[]> {
  return (await other.inspect(name)).holders.map(({ token }) => token);
}

/** Acts when that many microtasks have passed. */
export async function afterMicrotasks(count: number, act: () => unknown): Promise<void> {
  for (let step = 0; step < count; step += 1) await undefined;
  await act();
}
