/**
 * How long it takes from the call that releases a lock until another connection, the only one that waits, has it: with
 * holdfast, with a Redis lock that the waiter asks for again and again, with advisory locks of Postgres and with etcd. The
 * servers take turns. Ends with code 1 when a lock was granted before it was released, or a server failed.
 *
 *     npm run build && node dist/bench/release-to-grant.js [--short]
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { startEtcd } from './etcd-process.ts';
import type { ForeignServer } from './foreign-server.ts';
import { startPostgres } from './postgres-process.ts';
import { describeLatencies, isShort, quantile } from './program.ts';
import { startRedis } from './redis-process.ts';
import { etcdRivals, holdfastRivals, postgresRivals, type Rivals, redisRivals } from './rivals.ts';
import { type ServerProcess, startServer } from './server-process.ts';

const TURNS = isShort ? 1 : 4;
/** As much as the defaults of the package redlock: from 100 to 300 ms. */
const LIKE_REDLOCK = { delayMs: 200, jitterMs: 100 };
const TIGHT = { delayMs: 10, jitterMs: 0 };

/** One way to wait for a lock. */
interface Way {
  readonly name: string;
  readonly server: 'holdfast' | 'redis' | 'postgres' | 'etcd';
  /** Handovers measured in each turn by each lane. */
  readonly handovers: number;
  /** Pairs of rivals, with a lock of their own, that are measured at once: more than one only where all but sleep. */
  readonly lanes: number;
  readonly connect: (port: number, lane: number) => Promise<Rivals>;
}

const WAYS: readonly Way[] = [
  {
    name: 'holdfast',
    server: 'holdfast',
    handovers: isShort ? 50 : 500,
    lanes: 1,
    connect: (port, lane) => holdfastRivals(port, `lane-${lane}`),
  },
  {
    name: 'redis, asked again after 100 to 300 ms',
    server: 'redis',
    handovers: isShort ? 1 : 3,
    lanes: 40,
    connect: (port, lane) => redisRivals(port, `like-redlock-${lane}`, LIKE_REDLOCK),
  },
  {
    name: 'redis, asked again after 10 ms',
    server: 'redis',
    handovers: isShort ? 10 : 50,
    lanes: 4,
    connect: (port, lane) => redisRivals(port, `tight-${lane}`, TIGHT),
  },
  {
    name: 'postgres, advisory locks',
    server: 'postgres',
    handovers: isShort ? 50 : 500,
    lanes: 1,
    connect: (port, lane) => postgresRivals(port, BigInt(lane)),
  },
  {
    name: 'etcd, /v3/lock/lock',
    server: 'etcd',
    handovers: isShort ? 5 : 15,
    lanes: 3,
    connect: (port, lane) => etcdRivals(port, `lane-${lane}`),
  },
];

/** A way with all its connections, and what was measured so far. */
interface Contestant {
  readonly way: Way;
  readonly lanes: readonly Rivals[];
  readonly latenciesMs: number[];
}

async function handOver({ both }: Rivals, times: number): Promise<number[]> {
  let [holder, waiter] = both;
  const latenciesMs: number[] = [];
  await holder.lock();
  for (let time = 0; time < times; time += 1) {
    const granted = waiter.lock().then(() => performance.now());
    // A grant that has come with what tells of the waiting is seen one turn later.
    const waiting = waiter.whenWaiting().then(() => nextTurn('waiting' as const));
    if ((await Promise.race([granted, waiting])) !== 'waiting') {
      throw new Error('a lock was granted before it was released');
    }
    const startMs = performance.now();
    const released = holder.unlock();
    latenciesMs.push((await granted) - startMs);
    await released;
    [holder, waiter] = [waiter, holder];
  }
  await holder.unlock();
  return latenciesMs;
}

async function connect(way: Way, port: number): Promise<Contestant> {
  const lanes = Array.from({ length: way.lanes }, (_, lane) => way.connect(port, lane));
  return { way, lanes: await Promise.all(lanes), latenciesMs: [] };
}

async function takeTurn({ way, lanes, latenciesMs }: Contestant, counts: boolean): Promise<void> {
  const measured = await Promise.all(lanes.map((rivals) => handOver(rivals, way.handovers)));
  if (counts) latenciesMs.push(...measured.flat());
}

function print(contestants: readonly Contestant[]): void {
  const medians = contestants.map(({ way, latenciesMs }) => {
    console.log(`${describeLatencies(way.name, latenciesMs)}  (${latenciesMs.length} times)`);
    return quantile(
      [...latenciesMs].sort((a, b) => a - b),
      0.5,
    );
  });
  for (const [index, { way }] of contestants.entries()) {
    if (index === 0) continue;
    console.log(`${way.name} : holdfast, medians: ${((medians[index] as number) / (medians[0] as number)).toFixed(1)}`);
  }
}

async function measure(): Promise<void> {
  const servers = new Map<Way['server'], ForeignServer | ServerProcess | undefined>([
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
    // The first turn warms up.
    for (let turn = 0; turn <= TURNS; turn += 1) {
      for (const contestant of contestants) await takeTurn(contestant, turn > 0);
    }
    print(contestants);
    for (const { lanes } of contestants) await Promise.all(lanes.map((rivals) => rivals.close()));
  } finally {
    for (const [name, server] of servers) {
      if (server === undefined) console.log(`${name}: left out, it is not installed`);
      await server?.stop();
    }
  }
}

await measure();
