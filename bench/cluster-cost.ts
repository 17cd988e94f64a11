/**
 * Measures what a lock costs in a cluster: processor time of the servers for one request, at the server that leads and through one that
 * stands by, beside a single server, with 1 and with 16 requests in flight on each of 50 connections, in turns. Left out without etcd.
 *
 *     npm run build && node dist/bench/cluster-cost.js [--short] [--rounds=5] [--seconds=0.8]
 */

import { ChaosEtcd, hasEtcd } from './chaos/cluster/chaos-etcd.ts';
import { LoadGenerator } from './load-generator.ts';
import { CORES, pinToCore } from './processes.ts';
import { isShort, median, numberGiven, printTable, shown } from './program.ts';
import { type LockServerProcess, startServer } from './servers.ts';

const ROUNDS = numberGiven('rounds') ?? (isShort ? 1 : 5);
const SECONDS = numberGiven('seconds') ?? (isShort ? 0.1 : 0.8);
const WARM_UP_SECONDS = isShort ? 0.05 : 0.25;
const FIRST_SECONDS = isShort ? 0.1 : 2;
const CONNECTIONS = 50;
const DEPTHS = [1, 16];
/** A tenth of a microsecond is a hundredth of a request. */
const DECIMALS = 1;
/** No server uses it: the clients are told where to connect. */
const ADVERTISED = '127.0.0.1:1';

/** A way to a lock, and the servers that work for it. */
interface Way {
  readonly name: string;
  readonly port: number;
  readonly servers: readonly LockServerProcess[];
}

const generator = LoadGenerator.start();

/** Microseconds of all servers of a way, each measured in a run of its own. */
async function measure({ port, servers }: Way, depth: number, seconds: number): Promise<number> {
  let sum = 0;
  for (const { pid } of servers) {
    const target = { place: { host: '127.0.0.1', port }, protocol: 'ndjson', pid } as const;
    const job = {
      target,
      connections: CONNECTIONS,
      depth,
      names: 'own',
      warmUpSeconds: WARM_UP_SECONDS,
      seconds,
    } as const;
    sum += (await generator.closedLoop(job)).serverMicroseconds;
  }
  return sum;
}

async function startNode(etcd: readonly string[], node: string): Promise<LockServerProcess> {
  const where = ['--cluster-node', node, '--cluster-advertise', ADVERTISED];
  return await startServer({ args: ['--cluster-etcd', ...etcd, ...where] });
}

async function compare(ways: readonly Way[], depth: number): Promise<string[][]> {
  for (const way of ways) await measure(way, depth, FIRST_SECONDS);
  const costs = ways.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, way] of ways.entries()) costs[index]?.push(await measure(way, depth, SECONDS));
  }
  const single = median(costs[0] as number[]);
  return ways.map(({ name }, index) => {
    const cost = median(costs[index] as number[]);
    return [`${depth} in flight: ${name}`, shown(cost, DECIMALS), (cost / single).toFixed(2)];
  });
}

async function main(): Promise<void> {
  const etcd = await ChaosEtcd.start();
  const endpoints = etcd.members.map(({ clientPort }) => `http://127.0.0.1:${clientPort}`);
  // The first one leads.
  const [single, leader] = [await startServer(), await startNode(endpoints, 'leader')];
  const standby = await startNode(endpoints, 'standby');
  const servers = [single, leader, standby];
  const isPinned = servers.map(({ pid }) => pinToCore(pid, CORES.server)).every(Boolean) && generator.isPinned;
  const ways: readonly Way[] = [
    { name: 'a single server', port: single.port, servers: [single] },
    { name: 'the leader', port: leader.port, servers: [leader] },
    { name: 'through a standby', port: standby.port, servers: [leader, standby] },
  ];
  const rows: string[][] = [];
  for (const depth of DEPTHS) rows.push(...(await compare(ways, depth)));
  console.log(`Processor time of the servers for one request, medians of ${ROUNDS} rounds of ${SECONDS} s`);
  if (!isPinned) console.log('Servers and generator share their cores: there is no taskset, or only one core.');
  printTable(['', 'microseconds', ': single'], rows);
  for (const server of [standby, leader, single]) await server.stop();
  await etcd.remove();
}

try {
  if (hasEtcd()) await main();
  else console.log('etcd is not installed: the cluster is left out');
} finally {
  generator.stop();
}
