/**
 * Measures `LockClient` beside other ways to lock: Redis through `redis`, advisory locks of Postgres through `pg`, and etcd. First
 * one lock with its unlock, one after the other, and 100 flows at once, each with a lock of its own and a process of its own for
 * every client. Then the time from the call that releases a lock until the only waiter, on another connection, has it; a waiter at
 * Redis polls. All take turns. Ends with code 1 when a lock was granted before it was released, or a server failed.
 *
 *     npm run build && node dist/bench/client-comparison.js [--short]
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type ComparedClient,
  connectEtcd,
  connectHoldfast,
  connectPostgres,
  connectPostgresPool,
  connectRedis,
  type WaitingClient,
} from './compared-clients.ts';
import { startEtcd, startPostgres, startRedis } from './foreign-servers.ts';
import { askChild } from './processes.ts';
import { describeLatencies, isShort, median, printTable, quantile, shown } from './program.ts';
import { startServer } from './servers.ts';

const ROUNDS = isShort ? 1 : 5;
const TURN_MS = isShort ? 100 : 600;
const AT_ONCE = 100;

/** How to connect each client to its server. */
const CLIENTS: Readonly<Record<string, (port: number) => Promise<ComparedClient>>> = {
  holdfast: connectHoldfast,
  redis: (port) => connectRedis(port),
  'pg, one client': connectPostgres,
  'pg, pool of 100': (port) => connectPostgresPool(port, 100),
  'pg, pool of 10': (port) => connectPostgresPool(port, 10),
};

/** The figures of one turn of a client. */
interface Figures {
  readonly pairsPerSecond: number;
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** By the beginning of their clients' names; undefined for one that is not installed. */
type Servers = ReadonlyMap<string, { readonly port: number; stop(): Promise<void> } | undefined>;

interface Contestant {
  readonly name: string;
  readonly process: ChildProcess;
}

/** A message to the process of a client: to take a turn with so many flows. */
interface TurnOrder {
  readonly flows: number;
}

/** The process of one client. */
async function serveTurns(name: string, port: number): Promise<void> {
  const client = await CLIENTS[name]?.(port);
  if (client === undefined) throw new Error(`there is no client ${JSON.stringify(name)}`);
  process.once('disconnect', () => void client.close().then(() => process.exit()));
  process.on('message', ({ flows }: TurnOrder) => {
    void takeTurn(client, flows).then((figures) => process.send?.(figures));
  });
  process.send?.('ready');
}

async function takeTurn(client: ComparedClient, flows: number): Promise<Figures> {
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const run = async (_: unknown, flow: number): Promise<void> => {
    let nowMs = performance.now();
    while (nowMs < startMs + TURN_MS) {
      const pairMs = nowMs;
      await client.lock(flow);
      await client.unlock(flow);
      nowMs = performance.now();
      latenciesMs.push(nowMs - pairMs);
    }
  };
  await Promise.all(Array.from({ length: flows }, run));
  const { user, system } = process.cpuUsage(startCpu);
  const durationMs = performance.now() - startMs;
  const sorted = latenciesMs.sort((a, b) => a - b);
  return {
    pairsPerSecond: (sorted.length * 1_000) / durationMs,
    cpuUs: (user + system) / sorted.length,
    p50Us: quantile(sorted, 0.5) * 1_000,
    p99Us: quantile(sorted, 0.99) * 1_000,
  };
}

async function startContestant(name: string, port: number): Promise<Contestant> {
  const args = ['--client', name, String(port), ...(isShort ? ['--short'] : [])];
  const child = fork(fileURLToPath(import.meta.url), args);
  await once(child, 'message');
  return { name, process: child };
}

async function stopContestant({ process: child }: Contestant): Promise<void> {
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
}

/** All contestants in turn, round after round; the first turn of each warms it up. */
async function compare(contestants: readonly Contestant[], flows: number): Promise<void> {
  const rounds = contestants.map((): Figures[] => []);
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      const figures = await askChild<Figures>(contestant.process, { flows } satisfies TurnOrder);
      if (round > 0) rounds[index]?.push(figures);
    }
  }
  const rows = rounds.map(columnsOf);
  const own = rows[0] ?? [];
  const ratios = rows.slice(1).map((row) => row.map((other, column) => (own[column] ?? Number.NaN) / other));
  console.log();
  printTable(
    [flows === 1 ? 'one after the other' : `${flows} at once`, 'locks/s', 'client CPU us', 'p50 us', 'p99 us'],
    [
      ...rows.map((row, index) => [
        nameAt(contestants, index),
        ...row.map((value) => shown(value, value < 100 ? 1 : 0)),
      ]),
      ...ratios.map((row, index) => [
        `holdfast : ${nameAt(contestants, index + 1)}`,
        ...row.map((value) => shown(value, 2)),
      ]),
    ],
  );
}

function nameAt(contestants: readonly Contestant[], index: number): string {
  return contestants[index]?.name ?? '';
}

/** The medians, in the order of the columns. */
function columnsOf(rounds: readonly Figures[]): number[] {
  return (['pairsPerSecond', 'cpuUs', 'p50Us', 'p99Us'] as const).map((key) => median(rounds.map((each) => each[key])));
}

async function comparePairs(servers: Servers): Promise<void> {
  const contestants = new Map<string, Contestant>();
  try {
    for (const name of Object.keys(CLIENTS)) {
      const server = servers.get(name.replace(/,.*/, ''));
      if (server !== undefined) contestants.set(name, await startContestant(name, server.port));
    }
    const among = (...names: string[]): Contestant[] =>
      names.map((name) => contestants.get(name)).filter((contestant) => contestant !== undefined);
    console.log(`a lock with its unlock through each client, medians of ${ROUNDS} rounds of ${TURN_MS} ms`);
    await compare(among('holdfast', 'redis', 'pg, one client'), 1);
    await compare(among('holdfast', 'redis', 'pg, pool of 100', 'pg, pool of 10'), AT_ONCE);
    await Promise.all([...contestants.values()].map(stopContestant));
  } finally {
    for (const { process: child } of contestants.values()) child.kill();
  }
}

const HANDOVER_TURNS = isShort ? 1 : 4;
const WARM_UP_HANDOVER_TURNS = isShort ? 1 : 4;

/** One way to wait for a lock. */
interface Way {
  readonly name: string;
  readonly server: 'holdfast' | 'redis' | 'pg' | 'etcd';
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
    server: 'pg',
    handovers: isShort ? 50 : 500,
    lanes: 1,
    connect: connectPostgres,
  },
  { name: 'etcd, /v3/lock/lock', server: 'etcd', handovers: isShort ? 5 : 15, lanes: 3, connect: connectEtcd },
];

/** Two clients with separate connections that want the same lock. */
interface Lane {
  readonly lock: number;
  readonly both: readonly [WaitingClient, WaitingClient];
}

/** A way with all its connections, and the latencies so far. */
interface WaitingContestant {
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

async function connectLanes(way: Way, port: number): Promise<WaitingContestant> {
  const lanes = Array.from({ length: way.lanes }, async (_, lock): Promise<Lane> => {
    return { lock, both: [await way.connect(port), await way.connect(port)] };
  });
  return { way, lanes: await Promise.all(lanes), latenciesMs: [] };
}

async function handOverInTurn({ way, lanes, latenciesMs }: WaitingContestant, counts: boolean): Promise<void> {
  const measured = await Promise.all(lanes.map((lane) => handOver(lane, way.handovers)));
  if (counts) latenciesMs.push(...measured.flat());
}

function printHandovers(contestants: readonly WaitingContestant[]): void {
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

async function compareHandovers(servers: Servers): Promise<void> {
  const contestants: WaitingContestant[] = [];
  for (const way of WAYS) {
    const server = servers.get(way.server);
    if (server !== undefined) contestants.push(await connectLanes(way, server.port));
  }
  // The first rounds let the engine compile the code of a release.
  for (let turn = 0; turn < WARM_UP_HANDOVER_TURNS + HANDOVER_TURNS; turn += 1) {
    for (const contestant of contestants) await handOverInTurn(contestant, turn >= WARM_UP_HANDOVER_TURNS);
  }
  console.log('\nfrom the call that releases a lock until the only waiter has it');
  printHandovers(contestants);
  const clients = contestants.flatMap(({ lanes }) => lanes.flatMap(({ both }) => both));
  await Promise.all(clients.map((client) => client.close()));
}

async function measure(): Promise<void> {
  const servers: Servers = new Map([
    ['holdfast', await startServer()],
    ['redis', await startRedis()],
    ['pg', await startPostgres()],
    ['etcd', await startEtcd()],
  ]);
  try {
    await comparePairs(servers);
    await compareHandovers(servers);
  } finally {
    for (const [name, server] of servers) {
      if (server === undefined) console.log(`${name}: left out, its server is not installed`);
      await server?.stop();
    }
  }
}

const [role, name = '', port] = process.argv.slice(2);
await (role === '--client' ? serveTurns(name, Number(port)) : measure());
