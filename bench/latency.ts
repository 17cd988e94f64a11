/**
 * Measures how long a lock takes when requests go out at a fixed rate, answered or not: at 10, 50 and 80 % of what each server
 * can do, and at one rate for all. It compares holdfast over TCP, TLS and a Unix socket with Redis, and includes the pauses of
 * garbage collection. Ends with code 1 when a reply was wrong.
 *
 *     npm run build && node dist/bench/latency.js [--short] [--rounds=3] [--seconds=1] [--rate=REQUESTS_A_SECOND_FOR_ALL]
 */

import { type LatencySummary, LoadFailure, LoadGenerator, type OpenLoopResult } from './load-generator.ts';
import { isShort, median, numberGiven, printTable, shown } from './program.ts';
import {
  type MeasuredServer,
  startHoldfast,
  startHoldfastTls,
  startHoldfastUnix,
  startMeasuredRedis,
} from './servers.ts';

const SECONDS = numberGiven('seconds') ?? (isShort ? 0.1 : 1);
const MICROSECONDS_A_SECOND = 1e6;
const ROUNDS = numberGiven('rounds') ?? (isShort ? 1 : 3);
const WARM_UP_SECONDS = isShort ? 0.05 : 0.2;
const CONNECTIONS = 50;
const SHARES = [0.1, 0.5, 0.8];
const COMMON_SHARE = 0.5;
/** A lower result means that something else had the core. */
const LEAST_CAPACITY = 10_000;

/** How long each run of the closed loop takes that finds the rates. */
const FIRST_SECONDS = isShort ? 0.05 : 0.5;
const CAPACITY_ROUNDS = isShort ? 1 : 3;

const generator = LoadGenerator.start();

/** Undefined when the server falls so far behind the rate that requests pile up. */
async function measure(
  server: MeasuredServer,
  requestsPerSecond: number,
  seconds: number,
): Promise<OpenLoopResult | undefined> {
  const job = { target: server.target, connections: CONNECTIONS, warmUpSeconds: WARM_UP_SECONDS, seconds };
  try {
    return await generator.openLoop({ ...job, requestsPerSecond });
  } catch (error) {
    if (error instanceof LoadFailure && error.isOverload) return undefined;
    throw error;
  }
}

/**
 * The rate, in requests a second, at which the server would use all of its core. It follows from the least cost of a request in
 * a closed loop, which depends little on other work on the machine. Requests that come together cost less, so the table also
 * shows the share of the core that the server used.
 */
async function findCapacity(server: MeasuredServer): Promise<number> {
  const times = { warmUpSeconds: WARM_UP_SECONDS, seconds: FIRST_SECONDS };
  const job = { target: server.target, connections: CONNECTIONS, names: 'own', ...times } as const;
  // Let Node compile the server's code.
  await generator.closedLoop({ ...job, depth: 16 });
  const rates: number[] = [];
  for (let round = 0; round < CAPACITY_ROUNDS; round += 1) {
    const { requests, seconds, serverMicroseconds } = await generator.closedLoop({ ...job, depth: 1 });
    // Where the system does not tell processor time, use the throughput.
    const isTold = serverMicroseconds > 0;
    rates.push(isTold ? MICROSECONDS_A_SECOND / serverMicroseconds : requests / seconds);
  }
  return Math.max(...rates, LEAST_CAPACITY);
}

/** One row of the table, filled in round by round. */
interface Measured {
  readonly name: string;
  readonly server: MeasuredServer;
  readonly requestsPerSecond: number;
  readonly rounds: (OpenLoopResult | undefined)[];
}

function describe({ name, requestsPerSecond, rounds }: Measured): string[] {
  const kept = rounds.filter((round) => round !== undefined);
  const cells = [name, shown(requestsPerSecond)];
  if (kept.length < rounds.length) return [...cells, 'too much'];
  const quantiles = (summaries: readonly LatencySummary[]): string[] => [
    shown(median(summaries.map(({ p50 }) => p50))),
    shown(median(summaries.map(({ p99 }) => p99))),
    shown(median(summaries.map(({ p999 }) => p999))),
    shown(Math.max(...summaries.map(({ max }) => max))),
  ];
  const busy = `${shown(100 * median(kept.map(({ serverBusy }) => serverBusy)))} %`;
  return [...cells, busy, ...quantiles(kept.map(({ lock }) => lock)), ...quantiles(kept.map((each) => each.lateness))];
}

async function startAll(): Promise<MeasuredServer[]> {
  const servers = [
    await startHoldfast('holdfast, TCP', 'ndjson'),
    await startHoldfastUnix('holdfast, Unix socket'),
    await startHoldfastTls('holdfast, TLS'),
    await startMeasuredRedis('Redis, TCP', 'tcp'),
    await startMeasuredRedis('Redis, Unix socket', 'unix'),
  ].filter((server) => server !== undefined);
  const isThere = (kind: string): boolean => servers.some(({ name }) => name.includes(kind));
  if (!isThere('TLS')) console.log('openssl is not installed: TLS is left out');
  if (!isThere('Redis')) console.log('redis-server is not installed: Redis is left out');
  return servers;
}

async function measureAll(servers: readonly MeasuredServer[]): Promise<Measured[]> {
  const capacities: number[] = [];
  for (const server of servers) capacities.push(await findCapacity(server));
  const common = numberGiven('rate') ?? COMMON_SHARE * Math.min(...capacities);
  const all = [...SHARES, 'same rate'].flatMap((share) =>
    servers.map((server, index): Measured => {
      const requestsPerSecond = typeof share === 'number' ? share * (capacities[index] as number) : common;
      const name = typeof share === 'number' ? `${shown(100 * share)} %` : share;
      return { name: `${name}: ${server.name}`, server, requestsPerSecond, rounds: [] };
    }),
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { server, requestsPerSecond, rounds } of all) {
      rounds.push(await measure(server, requestsPerSecond, SECONDS));
    }
  }
  return all;
}

const servers = await startAll();
try {
  const rows = (await measureAll(servers)).map(describe);
  console.log(
    `Microseconds from the planned time of a lock request to its grant, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s, in turns; ` +
      'medians of the rounds, and the greatest of all',
  );
  console.log('late: how much later than planned the generator itself wrote requests; it delays their answers as much');
  if (!generator.isPinned)
    console.log('Server and generator share their cores: there is no taskset, or only one core.');
  const quantiles = ['p50', 'p99', 'p99.9', 'max'];
  const headings = ['of what it can do', 'requests/s', 'server busy', ...quantiles];
  printTable([...headings, ...quantiles.map((each) => `late ${each}`)], rows);
} finally {
  generator.stop();
  for (const server of servers) await server.stop();
}
