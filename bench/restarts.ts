/**
 * Restarts a server whose locks are held and awaited, and prints how soon it grants again. Checks that nobody lost a lock
 * for it, or that all learnt of it where there is no state directory; and that waiters kept their order over a planned
 * restart. Then resets the connection of a client with very many locks. Ends with code 1 when a check failed.
 *
 *     npm run build && node dist/bench/restarts.js [--short]
 */

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { LockClient, type LockHandle } from 'holdfast';
import { freePort } from '../test/support/free-port.ts';
import { ChaosServer } from './chaos/chaos-server.ts';
import { isShort, printTable } from './program.ts';

const HOLDERS = isShort ? 20 : 200;
const WAITERS_A_LOCK = 2;
const MANY_LOCKS = isShort ? 1_000 : 10_000;
const TERMINATE_MS = 10_000;

interface Scene {
  readonly server: ChaosServer;
  readonly clients: readonly LockClient[];
  /** Has nothing yet. */
  readonly bystander: LockClient;
  readonly held: readonly LockHandle[];
  /** Settles once each waiter had its lock and released it. */
  readonly served: Promise<unknown>;
  /** The numbers of the waiters of each lock, in the order of their grants. */
  readonly order: readonly (readonly number[])[];
}

function check(isRight: boolean, what: string): void {
  if (isRight) return;
  console.error(`wrong: ${what}`);
  process.exitCode = 1;
}

async function newServer(isDurable: boolean): Promise<ChaosServer> {
  const [port, proxiedPort] = [await freePort(), await freePort()];
  return new ChaosServer({ port, proxiedPort, isDurable, hosts: [], hasDisk: false });
}

function newClient(port: number): Promise<LockClient> {
  return LockClient.connect({ port, reconnect: { minDelayMs: 100, maxDelayMs: 500 } });
}

/** Waits until the server counts so many waiters, so that they queue in a known order. */
async function untilWaiting(client: LockClient, count: number): Promise<void> {
  while ((await client.stats()).waiting < count) await pause(5);
}

async function setUp(isDurable: boolean): Promise<Scene> {
  const server = await newServer(isDurable);
  await server.start();
  const names = Array.from({ length: HOLDERS }, (_, index) => `lock ${index}`);
  const clients = await Promise.all(names.map(() => newClient(server.port)));
  const held = await Promise.all(names.map((name, index) => (clients[index] as LockClient).lock(name)));
  const order = names.map((): number[] => []);
  const waits: Promise<void>[] = [];
  for (let waiter = 0; waiter < WAITERS_A_LOCK; waiter += 1) {
    const others = await Promise.all(names.map(() => newClient(server.port)));
    clients.push(...others);
    for (const [index, name] of names.entries()) {
      const wait = async (): Promise<void> => {
        const handle = await (others[index] as LockClient).lock(name);
        order[index]?.push(waiter);
        await handle.release();
      };
      waits.push(wait());
    }
    await untilWaiting(clients[0] as LockClient, waits.length);
  }
  const bystander = await newClient(server.port);
  clients.push(bystander);
  return { server, clients, bystander, held, served: Promise.all(waits), order };
}

/** Asks for a free lock; resolves to the milliseconds until it is granted. */
async function grantMs(client: LockClient): Promise<number> {
  const startMs = performance.now();
  await (await client.lock('free')).release();
  return performance.now() - startMs;
}

async function tearDown({ server, clients }: Scene): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
  await server.remove();
}

async function restart(how: 'planned' | 'killed'): Promise<readonly string[]> {
  const scene = await setUp(true);
  const { server, bystander, held, served, order } = scene;
  const tokens = held.map(({ token }) => token);
  if (how === 'planned') check((await server.terminate(TERMINATE_MS)) === 0, 'the server did not end by itself');
  else await server.kill();
  const started = server.start();
  const firstMs = await grantMs(bystander);
  await started;
  const confirmed = await Promise.all(held.map((handle) => handle.confirm()));
  check(
    held.every(
      (handle, index) => confirmed[index] === true && handle.token === tokens[index] && !handle.signal.aborted,
    ),
    `${how}: a holder lost its lock`,
  );
  await Promise.all(held.map((handle) => handle.release()));
  await served;
  const isInOrder = order.every((waiters) => waiters.every((waiter, index) => waiter === index));
  check(how === 'killed' || isInOrder, `${how}: waiters were granted out of order`);
  await tearDown(scene);
  return [`${how}, with a state directory`, firstMs.toFixed(0), `${held.length} holds kept`];
}

async function restartWithout(): Promise<readonly string[]> {
  const scene = await setUp(false);
  const { server, bystander, held, served } = scene;
  const aborts = held.map((handle) => once(handle.signal, 'abort'));
  await server.kill();
  const started = server.start();
  const startMs = performance.now();
  const told = Promise.all(aborts).then(() => performance.now() - startMs);
  const firstMs = await grantMs(bystander);
  await started;
  const toldMs = await told;
  await served;
  await tearDown(scene);
  return ['killed, without', firstMs.toFixed(0), `all ${held.length} told after ${toldMs.toFixed(0)} ms`];
}

/** Resolves to the milliseconds from the reset of the connection until the client goes on. */
async function resumeMany(): Promise<readonly string[]> {
  const server = await newServer(true);
  await server.start();
  const sockets = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(server.port, '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', () => {});
    near.pipe(far).pipe(near);
    sockets.add(near).add(far);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as { port: number };
  const client = await newClient(port);
  const handles = await Promise.all(Array.from({ length: MANY_LOCKS }, (_, index) => client.lock(`many ${index}`)));
  const resumed = new Promise<void>((resolve) => client.once('resume', () => resolve()));
  const startMs = performance.now();
  for (const socket of sockets) socket.resetAndDestroy();
  await resumed;
  const ms = performance.now() - startMs;
  check(
    handles.every(({ isHeld, signal }) => isHeld && !signal.aborted),
    'a lock was lost by a reset',
  );
  await client.close();
  proxy.close();
  await server.remove();
  return [`reset of a client with ${MANY_LOCKS} locks`, '', `resumed after ${ms.toFixed(0)} ms`];
}

const rows = [await restart('planned'), await restart('killed'), await restartWithout(), await resumeMany()];
printTable(['restart', 'first grant ms', 'seen'], rows);
