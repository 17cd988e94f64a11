/**
 * Measures the time from the call that releases a lock until the only waiter, on another connection, has it: with holdfast, with
 * a Redis lock that the waiter polls, with advisory locks of Postgres and with etcd. The servers take turns. Ends with code 1
 * when a lock was granted before it was released, or a server failed.
 *
 *     npm run build && node dist/bench/release-to-grant.js [--short]
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { connectEtcd, connectHoldfast, connectPostgres, connectRedis, type WaitingClient } from './compared-clients.ts';
import { startEtcd, startPostgres, startRedis } from './foreign-servers.ts';
import { describeLatencies, isShort, median } from './program.ts';
import { startServer } from './servers.ts';

const TURNS = isShort ? 1 : 4;
const WARM_UP_TURNS = isShort ? 1 : 4;

/** One way to wait for a lock. */
interface Way {
  readonly name: string;
  readonly server: 'holdfast' | 'redis' | 'postgres' | 'etcd';
  /** Handovers measured in each turn by each lane. */
  readonly handovers: number;
  /** Pairs of clients, each with a lock of its own, measured at once; more than one only where they mostly sleep. */
  readonly lanes: number;
  readonly connect: (port: number) => Promise<WaitingClient>;
}

const WAYS: readonly Way[] = [
  { name: 'holdfast', server: 'holdfast', handovers: isShort ? 50 : 500, lanes: 1, connect: connectHoldfast },
  {
    name: 'redis, asked again after 100 to 300 ms',
    server: 'redis',
    handovers: isShort ? 1 : 3,
    lanes: 40,
    connect: (port) => connectRedis(port),
  },
  {
    name: 'redis, asked again after 10 ms',
    server: 'redis',
    handovers: isShort ? 10 : 50,
    lanes: 4,
    connect: (port) => connectRedis(port, { delayMs: 10, jitterMs: 0 }),
  },
  {
    name: 'postgres, advisory locks',
    server: 'postgres',
    handovers: isShort ? 50 : 500,
    lanes: 1,
    connect: connectPostgres,
  },
  { name: 'etcd, /v3/lock/lock', server: 'etcd', handovers: isShort ? 5 : 15, lanes: 3, connect: connectEtcd },
];

/** Two clients with connections of their own, who want the same lock. */
interface Lane {
  readonly lock: number;
  readonly both: readonly [WaitingClient, WaitingClient];
}

/** A way with all its connections, and the latencies so far. */
interface Contestant {
  readonly way: Way;
  readonly lanes: readonly Lane[];
  readonly latenciesMs: number[];
}

async function handOver({ lock, both }: Lane, times: number): Promise<number[]> {
  let [holder, waiter] = both;
  const latenciesMs: number[] = [];
  await holder.lock(lock);
  for (let time = 0; time < times; time += 1) {
    const granted = waiter.lock(lock).then(() => performance.now());
    // A grant that came together with the answer of `whenWaiting` is seen one turn later.
    const waiting = waiter.whenWaiting(lock).then(() => nextTurn('waiting' as const));
    if ((await Promise.race([granted, waiting])) !== 'waiting') {
      throw new Error('a lock was granted before it was released');
    }
    const startMs = performance.now();
    const released = holder.unlock(lock);
    latenciesMs.push((await granted) - startMs);
    await released;
    [holder, waiter] = [waiter, holder];
  }
  await holder.unlock(lock);
  return latenciesMs;
}

async function connect(way: Way, port: number): Promise<Contestant> {
  const lanes = Array.from({ length: way.lanes }, async (_, lock): Promise<Lane> => {
    return { lock, both: [await way.connect(port), await way.connect(port)] };
  });
  return { way, lanes: await Promise.all(lanes), latenciesMs: [] };
}

async function takeTurn({ way, lanes, latenciesMs }: Contestant, counts: boolean): Promise<void> {
  const measured = await Promise.all(lanes.map((lane) => handOver(lane, way.handovers)));
  if (counts) latenciesMs.push(...measured.flat());
}

function print(contestants: readonly Contestant[]): void {
  for (const { way, latenciesMs } of contestants) {
    console.log(`${describeLatencies(way.name, latenciesMs)}  (${latenciesMs.length} times)`);
  }
  const [own, ...others] = contestants;
  for (const { way, latenciesMs } of others) {
    console.log(
      `${way.name} : holdfast, medians: ${(median(latenciesMs) / median(own?.latenciesMs ?? [])).toFixed(1)}`,
    );
  }
}

async function measure(): Promise<void> {
  const servers = new Map([
    ['holdfast', await startServer()],
    ['redis', await startRedis()],
    ['postgres', await startPostgres()],
    ['etcd', await startEtcd()],
  ]);
  const contestants: Contestant[] = [];
  try {
    for (const way of WAYS) {
      const server = servers.get(way.server);
      if (server !== undefined) contestants.push(await connect(way, server.port));
    }
    // The first turns warm up: until then the engine has not compiled what a release goes through.
    for (let turn = 0; turn < WARM_UP_TURNS + TURNS; turn += 1) {
      for (const contestant of contestants) await takeTurn(contestant, turn >= WARM_UP_TURNS);
    }
    print(contestants);
    for (const { lanes } of contestants)
      await Promise.all(lanes.flatMap(({ both }) => both.map((client) => client.close())));
  } finally {
    for (const [name, server] of servers) {
      if (server === undefined) console.log(`${name}: left out, it is not installed`);
      await server?.stop();
    }
  }
}

await measure();
