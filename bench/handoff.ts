/**
 * How long it takes from an unlock until the next in line has the lock, beside a bare round trip to the same server in
 * the same run; how many handoffs a second a queue of many clients gets, what each costs the server and how evenly they are
 * shared, beside PoolCounter where it is installed.
 *
 *     npm run build && node dist/bench/handoff.js [--short]
 */

import { dialTcp, MessageClient } from 'holdfast';
import { type ClosedLoopResult, LoadGenerator } from './load-generator.ts';
import { describeLatencies, isShort, median, printTable, quantile, shown } from './program.ts';
import { type MeasuredServer, startHoldfast, startMeasuredPoolCounter, startServer } from './servers.ts';

const ROUNDS = isShort ? 200 : 10_000;
const QUEUE_LENGTH = 50;
const QUEUE_ROUNDS = isShort ? 1 : 3;
const QUEUE_SECONDS = isShort ? 0.1 : 1;
const QUEUE_WARM_UP_SECONDS = isShort ? 0.1 : 0.5;
/** An unlock, and the lock request with which the former holder queues again. */
const REQUESTS_A_HANDOFF = 2;

const server = await startServer();

async function connect(): Promise<MessageClient> {
  const client = new MessageClient();
  await client.connect(dialTcp({ host: '127.0.0.1', port: server.port }));
  return client;
}

async function measurePing(): Promise<number[]> {
  const client = await connect();
  const latencies: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    await client.rpc('ping');
    latencies.push(performance.now() - startMs);
  }
  await client.close();
  return latencies;
}

/** Two clients in turn: one waits while the other unlocks. */
async function measureHandoff(): Promise<number[]> {
  let holder = await connect();
  let waiter = await connect();
  const latencies: number[] = [];
  await holder.rpc('lock', { lockName: 'handoff' });
  for (let round = 0; round < ROUNDS; round += 1) {
    const granted = waiter.rpc('lock', { lockName: 'handoff' });
    // The ping is answered behind the lock request, so the waiter is in the queue.
    await waiter.rpc('ping');
    const startMs = performance.now();
    const unlocked = holder.rpc('unlock', { lockName: 'handoff' });
    await granted;
    latencies.push(performance.now() - startMs);
    await unlocked;
    [holder, waiter] = [waiter, holder];
  }
  await Promise.all([holder.close(), waiter.close()]);
  return latencies;
}

/** Many connections queue for one lock, each again as soon as its unlock was answered. */
async function measureQueue(generator: LoadGenerator, { name, target }: MeasuredServer): Promise<string[]> {
  const results: ClosedLoopResult[] = [];
  for (let round = 0; round < QUEUE_ROUNDS; round += 1) {
    const times = { warmUpSeconds: QUEUE_WARM_UP_SECONDS, seconds: QUEUE_SECONDS };
    results.push(await generator.closedLoop({ target, connections: QUEUE_LENGTH, depth: 1, names: 'one', ...times }));
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
    console.log(`${QUEUE_LENGTH} connections queueing for one lock, ${QUEUE_ROUNDS} rounds of ${QUEUE_SECONDS} s`);
    printTable(['', 'handoffs/s', 'server us each', 'least', 'grants of each', 'most of others in between'], rows);
  } finally {
    generator.stop();
    for (const queueServer of servers) await queueServer.stop();
  }
}

const ping = await measurePing();
const handoff = await measureHandoff();
await server.stop();

const sortedPing = ping.sort((a, b) => a - b);
const sortedHandoff = handoff.sort((a, b) => a - b);
console.log(describeLatencies('ping: there and back', sortedPing));
console.log(describeLatencies('unlock of one client to grant of the next', sortedHandoff));
console.log(`handoff : ping, medians: ${(quantile(sortedHandoff, 0.5) / quantile(sortedPing, 0.5)).toFixed(2)}`);
await measureQueues();
