/**
 * How long it takes from an unlock until the next in line has the lock, beside a bare round trip to the same server in
 * the same run, and how many handoffs a second a queue of many clients gets.
 *
 *     npm run build && node dist/bench/handoff.js [--short]
 */

import { dialTcp, MessageClient } from 'holdfast';
import { describeLatencies, quantile } from './figures.ts';
import { startServer } from './server-process.ts';

const isShort = process.argv.includes('--short');
const ROUNDS = isShort ? 200 : 10_000;
const QUEUE_LENGTH = 50;
const QUEUE_ROUNDS = isShort ? 4 : 400;

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

/** Many clients queue for one lock, each again as soon as it has given it back. */
async function measureQueue(): Promise<{ readonly handoffsPerSecond: number; readonly longestRun: number }> {
  const clients = await Promise.all(Array.from({ length: QUEUE_LENGTH }, connect));
  const turns: number[] = [];
  const startMs = performance.now();
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < QUEUE_ROUNDS; round += 1) {
        await client.rpc('lock', { lockName: 'queue' });
        turns.push(index);
        await client.rpc('unlock', { lockName: 'queue' });
      }
    }),
  );
  const seconds = (performance.now() - startMs) / 1_000;
  await Promise.all(clients.map((client) => client.close()));
  return { handoffsPerSecond: turns.length / seconds, longestRun: longestGap(turns) };
}

/** The most turns of others between two turns of one client: with a fair queue, the number of the others. */
function longestGap(turns: readonly number[]): number {
  const last = new Map<number, number>();
  let longest = 0;
  for (const [turn, client] of turns.entries()) {
    longest = Math.max(longest, turn - (last.get(client) ?? turn) - 1);
    last.set(client, turn);
  }
  return longest;
}

const ping = await measurePing();
const handoff = await measureHandoff();
const queue = await measureQueue();
await server.stop();

const sortedPing = ping.sort((a, b) => a - b);
const sortedHandoff = handoff.sort((a, b) => a - b);
console.log(describeLatencies('ping: there and back', sortedPing));
console.log(describeLatencies('unlock of one client to grant of the next', sortedHandoff));
console.log(`handoff : ping, medians: ${(quantile(sortedHandoff, 0.5) / quantile(sortedPing, 0.5)).toFixed(2)}`);
console.log(
  `${QUEUE_LENGTH} clients queueing: ${queue.handoffsPerSecond.toFixed(0)} handoffs a second, ` +
    `at most ${queue.longestRun} turns of others in between`,
);
