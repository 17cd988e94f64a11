/**
 * Simulates what a cluster would be like whose locks are spread over several leaders by their names: names are hashed to
 * partitions, and the nodes share these by their load. Nothing of it is built. Prints the share of the fullest node, half of
 * the time and 1 time in 20; how often a request for several locks stays within one partition; in how many partitions a session
 * has locks; and how many of the sessions have one on the node that fails.
 *
 *     npm run build && node dist/bench/partitions.js [--short] [--names=10000]
 */

import { createHash } from 'node:crypto';
import { Random } from './fuzz-traffic.ts';
import { isShort, numberGiven, printTable, quantile, shown } from './program.ts';

const NAMES = numberGiven('names') ?? (isShort ? 1_000 : 10_000);
/** Each spreads the names anew. */
const HASHES = isShort ? 5 : 100;
const SESSIONS = isShort ? 200 : 2_000;
/** What a client that takes part in more than one job may hold at once, and what it may ask for by one `lockAll`. */
const LOCKS_A_SESSION = 5;
const LOCKS_A_REQUEST = 3;
const PERCENT = 100;

interface Layout {
  readonly nodes: number;
  readonly partitions: number;
}

const LAYOUTS: readonly Layout[] = [
  { nodes: 1, partitions: 1 },
  { nodes: 3, partitions: 3 },
  { nodes: 3, partitions: 60 },
  { nodes: 5, partitions: 5 },
  { nodes: 5, partitions: 60 },
];

/** How the requests are spread over the names: each name has a share. */
interface Distribution {
  readonly title: string;
  readonly shares: readonly number[];
}

function distribution(title: string, weigh: (rank: number) => number): Distribution {
  const weights = Array.from({ length: NAMES }, (_, index) => weigh(index + 1));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return { title, shares: weights.map((weight) => weight / sum) };
}

const DISTRIBUTIONS: readonly Distribution[] = [
  distribution('uniform', () => 1),
  distribution('Zipf 1.0', (rank) => 1 / rank),
];

/** The hash of each name, once for each way to spread them. */
const hashes = Array.from({ length: HASHES }, (_, salt) =>
  Array.from({ length: NAMES }, (_, name) => createHash('sha1').update(`${salt} lock ${name}`).digest().readUInt32BE()),
);

/** What one way to spread the names comes to: where each is, and the share of the requests that the fullest node gets. */
interface Spread {
  readonly partitionOf: (name: number) => number;
  readonly nodeOf: (name: number) => number;
  readonly fullestShare: number;
}

/** Each partition in turn, from the one with the greatest load, goes to the node that has the least so far. */
function spread({ shares }: Distribution, { nodes, partitions }: Layout, ofNames: readonly number[]): Spread {
  const partitionOf = (name: number): number => (ofNames[name] as number) % partitions;
  const loads = Array<number>(partitions).fill(0);
  for (const [name, share] of shares.entries()) loads[partitionOf(name)] = share + (loads[partitionOf(name)] as number);
  const nodeLoads = Array<number>(nodes).fill(0);
  const nodesOfPartitions = new Map<number, number>();
  for (const [partition, load] of [...loads.entries()].sort(([, a], [, b]) => b - a)) {
    const node = nodeLoads.indexOf(Math.min(...nodeLoads));
    nodeLoads[node] = load + (nodeLoads[node] as number);
    nodesOfPartitions.set(partition, node);
  }
  const nodeOf = (name: number): number => nodesOfPartitions.get(partitionOf(name)) as number;
  return { partitionOf, nodeOf, fullestShare: Math.max(...nodeLoads) };
}

/** Draws sets of different names as the distribution has it. */
class Draw {
  readonly #ends: readonly number[];
  readonly #random = new Random(1, 0);

  constructor({ shares }: Distribution) {
    let end = 0;
    this.#ends = shares.map((share) => (end += share));
  }

  names(count: number): number[] {
    const drawn = new Set<number>();
    while (drawn.size < count) drawn.add(this.#name());
    return [...drawn];
  }

  #name(): number {
    const at = this.#random.next();
    let [low, high] = [0, NAMES - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] as number) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function percent(share: number): string {
  return `${shown(share * PERCENT)} %`;
}

function row(asked: Distribution, layout: Layout): string[] {
  const spreads = hashes.map((ofNames) => spread(asked, layout, ofNames));
  const fullest = spreads.map(({ fullestShare }) => fullestShare).sort((a, b) => a - b);
  const draw = new Draw(asked);
  const sessions = Array.from({ length: SESSIONS }, (_, index) => {
    const { partitionOf, nodeOf } = spreads[index % HASHES] as Spread;
    const names = draw.names(LOCKS_A_SESSION);
    const request = names.slice(0, LOCKS_A_REQUEST);
    return {
      partitionCount: new Set(names.map(partitionOf)).size,
      nodeCount: new Set(names.map(nodeOf)).size,
      isRequestInOne: new Set(request.map(partitionOf)).size === 1,
    };
  });
  return [
    asked.title,
    String(layout.nodes),
    String(layout.partitions),
    percent(quantile(fullest, 1 / 2)),
    percent(quantile(fullest, 0.95)),
    percent(mean(sessions.map(({ isRequestInOne }) => Number(isRequestInOne)))),
    shown(mean(sessions.map(({ partitionCount }) => partitionCount)), 1),
    percent(mean(sessions.map(({ nodeCount }) => nodeCount)) / layout.nodes),
  ];
}

console.log(
  `${NAMES} names, spread ${HASHES} times; ${LOCKS_A_SESSION} locks a session, ${LOCKS_A_REQUEST} a lockAll\n`,
);
printTable(
  ['requests', 'nodes', 'partitions', 'fullest', '1 in 20', 'lockAll in one', 'a session in', 'sessions hit'],
  DISTRIBUTIONS.flatMap((asked) => LAYOUTS.map((layout) => row(asked, layout))),
);
