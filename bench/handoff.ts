/**
 * Lets 50 connections queue for one lock. Prints the handoffs a second, the server's time for each and how evenly they are
 * shared, beside PoolCounter where it is installed. For the time of a single handoff, see bench/release-to-grant.ts.
 *
 *     npm run build && node dist/bench/handoff.js [--short]
 */

import { type ClosedLoopResult, LoadGenerator } from './load-generator.ts';
import { isShort, median, printTable, shown } from './program.ts';
import { type MeasuredServer, startHoldfast, startMeasuredPoolCounter } from './servers.ts';

const CONNECTIONS = 50;
const ROUNDS = isShort ? 1 : 3;
const SECONDS = isShort ? 0.1 : 1;
const WARM_UP_SECONDS = isShort ? 0.1 : 0.5;
/** An unlock, and the new lock request of the former holder. */
const REQUESTS_A_HANDOFF = 2;

/** Many connections queue for one lock, each again as soon as its unlock was answered. */
async function measureQueue(generator: LoadGenerator, { name, target }: MeasuredServer): Promise<string[]> {
  const results: ClosedLoopResult[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const times = { warmUpSeconds: WARM_UP_SECONDS, seconds: SECONDS };
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

async function measureQueues(): Promise<void> {
  const generator = LoadGenerator.start();
  const holdfast = await startHoldfast('holdfast', 'ndjson');
  const poolCounter = await startMeasuredPoolCounter('PoolCounter');
  if (poolCounter === undefined) console.log('poolcounterd is not installed and left out');
  const servers = poolCounter === undefined ? [holdfast] : [holdfast, poolCounter];
  try {
    const rows: string[][] = [];
    for (const queueServer of servers) rows.push(await measureQueue(generator, queueServer));
    console.log(`${CONNECTIONS} connections queueing for one lock, ${ROUNDS} rounds of ${SECONDS} s`);
    printTable(['', 'handoffs/s', 'server us each', 'least', 'grants of each', 'most of others in between'], rows);
  } finally {
    generator.stop();
    for (const queueServer of servers) await queueServer.stop();
  }
}

await measureQueues();
