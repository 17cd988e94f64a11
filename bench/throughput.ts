/**
 * Measures the server's processor time for one request, and requests a second, with 1 and with 16 requests in flight on each of
 * 50 connections, beside a bare Node server, and Redis and PoolCounter where they are installed; then the same for handoffs, when
 * all connections queue for one lock, and how evenly they are shared. The servers take turns. Ends with code 1 when a reply was
 * wrong. For the time of a single handoff, see bench/client-comparison.ts.
 *
 *     npm run build && node dist/bench/throughput.js [--short] [--rounds=5] [--seconds=0.8]
 */

import { type ClosedLoopResult, LoadGenerator, type LoadProtocol } from './load-generator.ts';
import { isShort, median, numberGiven, printTable, shown } from './program.ts';
import {
  type MeasuredServer,
  startHoldfast,
  startMeasuredFloor,
  startMeasuredPoolCounter,
  startMeasuredRedis,
} from './servers.ts';

const ROUNDS = numberGiven('rounds') ?? (isShort ? 1 : 5);
const SECONDS = numberGiven('seconds') ?? (isShort ? 0.1 : 0.8);
/** Before the first round, so that Node has compiled the code. */
const FIRST_SECONDS = isShort ? 0.1 : 2;
const WARM_UP_SECONDS = isShort ? 0.05 : 0.25;
const CONNECTIONS = 50;
const DEPTHS = [1, 16];
const HANDOFF_ROUNDS = isShort ? 1 : 3;
const HANDOFF_SECONDS = isShort ? 0.1 : 1;
const HANDOFF_WARM_UP_SECONDS = isShort ? 0.1 : 0.5;
/** An unlock, and the new lock request of the former holder. */
const REQUESTS_A_HANDOFF = 2;
/** Redis has no queues, and the bare server no locks. */
const QUEUEING_PROTOCOLS: readonly LoadProtocol[] = ['ndjson', 'pool'];
const ODD_PROTOCOLS: readonly LoadProtocol[] = ['reordered', 'spaced', 'escaped'];

/** One row of the table, filled in round by round. */
interface Measured {
  readonly name: string;
  readonly server: MeasuredServer;
  readonly depth: number;
  readonly rounds: ClosedLoopResult[];
}

async function startAll(): Promise<readonly MeasuredServer[]> {
  const own = [
    await startHoldfast('holdfast, messages', 'ndjson'),
    await startHoldfast('holdfast, line protocol', 'line'),
    await startMeasuredFloor('bare Node server'),
  ];
  const others = {
    'redis-server': await startMeasuredRedis('Redis, SET NX PX and DEL', 'tcp'),
    poolcounterd: await startMeasuredPoolCounter('PoolCounter'),
  };
  for (const [program, server] of Object.entries(others)) {
    if (server === undefined) console.log(`${program} is not installed and left out`);
  }
  return [...own, ...Object.values(others).filter((server) => server !== undefined)];
}

function measureOnce(generator: LoadGenerator, measured: Measured, seconds: number): Promise<ClosedLoopResult> {
  const { server, depth } = measured;
  const times = { warmUpSeconds: WARM_UP_SECONDS, seconds };
  return generator.closedLoop({ target: server.target, connections: CONNECTIONS, depth, names: 'own', ...times });
}

/** Servers take turns, so that other work on the machine meets all of them. */
async function measureAll(generator: LoadGenerator, all: readonly Measured[]): Promise<void> {
  for (const measured of all) await measureOnce(generator, measured, FIRST_SECONDS);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const measured of all) measured.rounds.push(await measureOnce(generator, measured, SECONDS));
  }
}

function plan(servers: readonly MeasuredServer[], depth: number): Measured[] {
  // PoolCounter takes one request of a connection at a time.
  const able = servers.filter(({ target }) => depth === 1 || target.protocol !== 'pool');
  return able.map((server) => ({ name: server.name, server, depth, rounds: [] }));
}

const microseconds = ({ rounds }: Measured): number => median(rounds.map((each) => each.serverMicroseconds));
const leastMicroseconds = ({ rounds }: Measured): number => Math.min(...rounds.map((each) => each.serverMicroseconds));

function ratio(of: Measured, to: Measured | undefined): string {
  if (to === undefined) return '-';
  const pair = [microseconds(of) / microseconds(to), leastMicroseconds(of) / leastMicroseconds(to)];
  return pair.map((each) => shown(each, 2)).join(' / ');
}

function report(title: string, all: readonly Measured[], comparedTo: readonly LoadProtocol[]): void {
  const bases = comparedTo.map((protocol) => all.find(({ server }) => server.target.protocol === protocol));
  console.log(`\n${title}`);
  const headings = ['', 'us median', 'us least', 'requests/s', 'server busy', 'generator us'];
  const rows = all.map((measured) => {
    const { name, rounds } = measured;
    return [
      name,
      shown(microseconds(measured), 2),
      shown(leastMicroseconds(measured), 2),
      shown(median(rounds.map(({ requests, seconds }) => requests / seconds))),
      `${shown(100 * median(rounds.map((each) => each.serverBusy)))} %`,
      shown(median(rounds.map((each) => each.generatorMicroseconds)), 2),
      ...bases.map((base) => ratio(measured, base)),
    ];
  });
  printTable([...headings, ...bases.map((base) => `: ${base?.name.split(',')[0] ?? '-'}`)], rows);
}

/** Many connections queue for one lock, each again as soon as its unlock was answered. */
async function measureQueue(generator: LoadGenerator, { name, target }: MeasuredServer): Promise<string[]> {
  const results: ClosedLoopResult[] = [];
  for (let round = 0; round < HANDOFF_ROUNDS; round += 1) {
    const times = { warmUpSeconds: HANDOFF_WARM_UP_SECONDS, seconds: HANDOFF_SECONDS };
    results.push(await generator.closedLoop({ target, connections: CONNECTIONS, depth: 1, names: 'one', ...times }));
  }
  const grants = results.map(({ fewestGrants, mostGrants }) => `${fewestGrants}-${mostGrants}`);
  return [
    name,
    shown(median(results.map(({ requests, seconds }) => requests / REQUESTS_A_HANDOFF / seconds))),
    shown(median(results.map(({ serverMicroseconds }) => serverMicroseconds * REQUESTS_A_HANDOFF)), 1),
    shown(Math.min(...results.map(({ serverMicroseconds }) => serverMicroseconds * REQUESTS_A_HANDOFF)), 1),
    grants.join(' '),
    shown(Math.max(...results.map(({ longestGap }) => longestGap))),
  ];
}

const generator = LoadGenerator.start();
const servers = await startAll();
const [one = [], many = []] = DEPTHS.map((depth) => plan(servers, depth));
const odd = await startHoldfast('holdfast', 'ndjson');
const forms = (['ndjson', ...ODD_PROTOCOLS] as const).map((protocol): Measured => {
  const server = { ...odd, target: { ...odd.target, protocol } };
  return { name: protocol === 'ndjson' ? 'as JSON.stringify writes it' : protocol, server, depth: 16, rounds: [] };
});
const queues: string[][] = [];
try {
  await measureAll(generator, [...one, ...many, ...forms]);
  const queueing = servers.filter(({ target }) => QUEUEING_PROTOCOLS.includes(target.protocol));
  for (const server of queueing) queues.push(await measureQueue(generator, server));
} finally {
  generator.stop();
  for (const server of [...servers, odd]) await server.stop();
}

console.log(
  `Processor time of the server for one request, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s, in turns; ` +
    'ratios of medians / of the least',
);
if (!generator.isPinned) console.log('Server and generator share their cores: there is no taskset, or only one core.');
report('One request in flight on each connection', one, ['floor', 'resp']);
report('Sixteen requests in flight on each connection', many, ['floor', 'resp']);
report('Messages in other forms, sixteen in flight', forms, ['ndjson']);
console.log(`\nHandoffs of one lock for which all connections queue, ${HANDOFF_ROUNDS} rounds of ${HANDOFF_SECONDS} s`);
printTable(['', 'handoffs/s', 'server us each', 'least', 'grants of each', 'most of others in between'], queues);
