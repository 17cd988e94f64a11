/**
 * What becomes of everybody else when thousands of connections with many locks each end at once: how long until all
 * of those locks are free, and how long a bystander waits who locks and unlocks while they are taken and while they are
 * freed. Ends with code 1 when a lock stays, a counter is wrong or the bystander is refused.
 *
 *     npm run build && node dist/bench/mass-disconnect.js [--short] [--connections=2000] [--locks=50]
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isShort, numberGiven } from './arguments.ts';
import { describeLatencies } from './figures.ts';
import { LineClient } from './line-client.ts';
import { startServer } from './server-process.ts';

const CONNECTIONS = numberGiven('connections') ?? (isShort ? 100 : 2_000);
/** That many exclusive ones of its own, and as many shared ones that all have. */
const LOCKS_EACH = numberGiven('locks') ?? 50;

function ownLocks(connection: number): string[] {
  return Array.from({ length: LOCKS_EACH }, (_, index) => `own-${connection}-${index}`);
}

/** The connections are those of another process, which is killed: so the system closes them all at once. */
async function crowd(port: number): Promise<void> {
  const sharedLocks = Array.from({ length: LOCKS_EACH }, (_, index) => `sg all-${index}`);
  for (let connection = 0; connection < CONNECTIONS; connection += 1) {
    const client = await LineClient.connect(port);
    const replies = await client.ask([...ownLocks(connection).map((name) => `g ${name}`), ...sharedLocks]);
    if (replies.some((reply) => reply.startsWith('0 '))) throw new Error(`refused: ${replies.join()}`);
  }
  process.send?.('ready');
}

function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual === expected) return;
  console.error(`${what}: ${actual} instead of ${expected}`);
  process.exitCode = 1;
}

async function measure(): Promise<void> {
  const server = await startServer();
  const [watcher, bystander] = [await LineClient.connect(server.port), await LineClient.connect(server.port)];
  const calm = await pairsOf(bystander, (pairs) => pairs < 1_000);
  const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), `--crowd=${server.port}`]);
  const exited = once(child, 'exit');
  let isOver = false;
  const whileTaken = pairsOf(bystander, () => !isOver);
  if ((await Promise.race([once(child, 'message'), exited]))[0] !== 'ready') throw new Error('the crowd is gone');
  isOver = true;
  const taking = await whileTaken;

  const all = CONNECTIONS * LOCKS_EACH;
  const before = await watcher.statistics();
  expectEqual('locks before', before.get('locks'), all);
  expectEqual('shared locks before', before.get('shared_locks'), LOCKS_EACH);
  expectEqual('connections before', before.get('connections'), CONNECTIONS + 2);

  isOver = false;
  const startMs = performance.now();
  child.kill('SIGKILL');
  const meanwhile = pairsOf(bystander, () => !isOver);
  for (;;) {
    const now = await watcher.statistics();
    const isFree = now.get('shared_locks') === 0 && now.get('orphans') === all;
    if (isFree && now.get('connections') === 2 && (now.get('locks') as number) <= 1) break;
  }
  const freeMs = performance.now() - startMs;
  isOver = true;
  const stormy = await meanwhile;
  await exited;

  const after = await watcher.statistics();
  expectEqual('locks after', after.get('locks'), 0);
  expectEqual('orphans', after.get('orphans'), all);
  expectEqual('shared orphans', after.get('shared_orphans'), all);
  for (let connection = 0; connection < CONNECTIONS; connection += 1) {
    const newcomer = await LineClient.connect(server.port);
    const replies = await newcomer.ask(ownLocks(connection).map((name) => `g ${name}`));
    for (const reply of replies) expectEqual('a lock of the crowd', reply.slice(0, 2), '1 ');
    newcomer.end();
  }
  watcher.end();
  bystander.end();
  await server.stop();

  console.log(
    `${CONNECTIONS} connections end at once, each with ${LOCKS_EACH} exclusive and ${LOCKS_EACH} shared locks`,
  );
  console.log(`all ${2 * all} holds free, all connections gone: ${freeMs.toFixed(0)} ms after the kill`);
  console.log(describeLatencies('bystander before, lock and unlock', calm));
  console.log(describeLatencies(`bystander while they are taken, ${taking.length} pairs`, taking));
  console.log(describeLatencies(`bystander while they are freed, ${stormy.length} pairs`, stormy));
}

/** How long each pair of lock and unlock took. */
async function pairsOf(client: LineClient, goOn: (pairs: number) => boolean): Promise<number[]> {
  const latencies: number[] = [];
  while (goOn(latencies.length)) {
    const startMs = performance.now();
    const [got] = await client.ask(['g bystander']);
    const [released] = await client.ask(['r bystander']);
    latencies.push(performance.now() - startMs);
    expectEqual('the bystander', got, '1 Lock Get Success: bystander');
    expectEqual('the bystander', released, '1 Lock Release Success: bystander');
  }
  return latencies;
}

const crowdPort = /--crowd=(\d+)/.exec(process.argv.at(-1) as string)?.[1];
await (crowdPort === undefined ? measure() : crowd(Number(crowdPort)));
