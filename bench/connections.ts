/**
 * Measures connections that come and go. First a new connection for every request, as PHP programs do: connect, lock, unlock,
 * close, 50 at once, in pkLockServer's framing, beside a bare server of Node's `net`. Then connections with very many locks that
 * end at once: how long it takes until all of the locks are free, and how long a bystander waits who locks and unlocks while they
 * are taken and freed, beside the same with a server without locks that reads sockets as streams. Ends with code 1 when a lock or
 * connection stays, a counter is wrong or the bystander is refused.
 *
 *     npm run build && node dist/bench/connections.js [--short] [--times=100000] [--connections=2000 --exclusive=50 --shared=50]
 */

import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Crowd, LineClient, ownLock } from './crowd.ts';
import { allowedOpenFiles, cpuMicroseconds, residentBytes, runFirst } from './processes.ts';
import { describeLatencies, isShort, median, numberGiven, printTable, shown } from './program.ts';
import { type ServerProcess, startFloor, startServer } from './servers.ts';

const TIMES = numberGiven('times') ?? (isShort ? 2_000 : 100_000);
const AT_ONCE = 50;
const ROUNDS = 5;
const WARM_UP = TIMES / 10;
const HEADER_BYTES = 4;
const BYTES_A_MEGABYTE = 1_048_576;

function frame(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

/** One request as a PHP program makes it. Resolves to the two replies when the connection is closed. */
function requestOnce(port: number, lockName: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const replies: string[] = [];
    let bytes: Buffer = Buffer.alloc(0);
    socket.once('connect', () => socket.write(frame({ command: 'lock', parameters: { lockName }, id: 1 })));
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < HEADER_BYTES || bytes.length < HEADER_BYTES + bytes.readUInt32BE()) return;
      replies.push(bytes.toString('utf8', HEADER_BYTES));
      bytes = Buffer.alloc(0);
      if (replies.length === 1) socket.write(frame({ command: 'unlock', lockName }));
      else socket.end();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(replies));
  });
}

/** Makes that many requests and returns how many a second. Every tenth asks for a lock that others want, too. */
async function churn(port: number, times: number, check: (replies: readonly string[]) => void): Promise<number> {
  let started = 0;
  const startMs = performance.now();
  const run = async (): Promise<void> => {
    while (started < times) {
      started += 1;
      check(await requestOnce(port, started % 10 === 0 ? 'all' : `own-${started}`));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  return (times * 1_000) / (performance.now() - startMs);
}

function checkReplies([locked = 'nothing', unlocked = 'nothing']: readonly string[]): void {
  if (locked !== '{"id":1,"result":{"status":"ok"}}') throw new Error(`lock was answered ${locked}`);
  if (!unlocked.startsWith('{"attempted":"unlock","result":"ok",')) throw new Error(`unlock was answered ${unlocked}`);
}

async function checkNothingIsLeft(port: number): Promise<void> {
  const watcher = await LineClient.connect(port);
  let now = await watcher.statistics();
  // The last connections may be about to close.
  while ((now.get('connections') as number) > 1) now = await watcher.statistics();
  watcher.end();
  for (const key of ['locks', 'shared_locks', 'orphans', 'shared_orphans', 'invalid_commands']) {
    if (now.get(key) === 0) continue;
    console.error(`${key}: ${now.get(key)} instead of 0`);
    process.exitCode = 1;
  }
}

/** The rounds of one server: connections a second, and the microseconds of the server for each. */
interface Measured {
  readonly rates: number[];
  readonly costs: number[];
}

async function measureChurn(): Promise<void> {
  const bare = await startFloor('frames');
  const server = await startServer();
  const memory = (): string => shown(residentBytes(server.pid) / BYTES_A_MEGABYTE, 1);
  const round = async (
    { pid, port }: ServerProcess,
    { rates, costs }: Measured,
    check: (replies: readonly string[]) => void,
  ): Promise<void> => {
    const before = cpuMicroseconds(pid);
    rates.push(await churn(port, TIMES / ROUNDS, check));
    costs.push((cpuMicroseconds(pid) - before) / (TIMES / ROUNDS));
  };

  const fresh = memory();
  await churn(bare.port, WARM_UP, () => {});
  await churn(server.port, WARM_UP, checkReplies);
  const warm = memory();
  const own: Measured = { rates: [], costs: [] };
  const floor: Measured = { rates: [], costs: [] };
  for (let index = 0; index < ROUNDS; index += 1) {
    await round(bare, floor, () => {});
    await round(server, own, checkReplies);
  }
  await checkNothingIsLeft(server.port);
  const after = memory();
  await server.stop();
  await bare.stop();

  console.log(`${TIMES} times connect, lock, unlock, close, ${AT_ONCE} at once, ${ROUNDS} rounds in turns, medians`);
  printTable(
    ['', 'connections/s', 'server us each'],
    [
      ['holdfast', shown(median(own.rates)), shown(median(own.costs), 1)],
      ['a bare server', shown(median(floor.rates)), shown(median(floor.costs), 1)],
      [
        'holdfast : bare server',
        shown(median(own.rates) / median(floor.rates), 2),
        shown(median(own.costs) / median(floor.costs), 2),
      ],
    ],
  );
  console.log(`memory of the server: ${fresh} MB at first, ${warm} MB after ${WARM_UP}, ${after} MB at the end`);
}

/** The connections that end at once, and the locks of each. */
interface Case {
  readonly connections: number;
  /** Locks of its own. */
  readonly exclusive: number;
  /** Locks that all share. */
  readonly shared: number;
}

const CALM_PAIRS = 1_000;
/** Between two requests, so that the crowd gets the core. */
const PAUSE_MS = 1;
const OPEN_FILES = allowedOpenFiles(4_096);
/** More than the cases take. */
const LIMITS = { maxLocks: 2_000_000, maxLocksPerSession: 20_000 };

function chosenCases(): readonly Case[] {
  const connections = numberGiven('connections');
  if (connections !== undefined) {
    return [{ connections, exclusive: numberGiven('exclusive') ?? 50, shared: numberGiven('shared') ?? 50 }];
  }
  if (isShort) return [{ connections: 100, exclusive: 50, shared: 50 }];
  return [
    { connections: 2_000, exclusive: 50, shared: 50 },
    { connections: 100, exclusive: 10_000, shared: 0 },
  ];
}

function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual === expected) return;
  console.error(`${what}: ${actual} instead of ${expected}`);
  process.exitCode = 1;
}

/** Asks for one thing and waits for the answer. */
type Request = () => Promise<void>;

/** Two requests, one after the other. */
type Pair = readonly [Request, Request];

/** The waits of the bystander in milliseconds: for each pair of answers, and for each answer. */
interface Waits {
  readonly pairs: number[];
  readonly answers: number[];
}

async function pairsOf(pair: Pair, goOn: (pairs: number) => boolean): Promise<Waits> {
  const waits: Waits = { pairs: [], answers: [] };
  while (goOn(waits.pairs.length)) {
    const startMs = performance.now();
    for (const ask of pair) {
      const askedMs = performance.now();
      await ask();
      waits.answers.push(performance.now() - askedMs);
    }
    waits.pairs.push(performance.now() - startMs);
    await setTimeout(PAUSE_MS);
  }
  return waits;
}

/** Asks until the work is done. */
async function pairsDuring(pair: Pair, work: Promise<unknown>): Promise<Waits> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  work.then(over, over);
  const waits = await pairsOf(pair, () => !isOver);
  await work;
  return waits;
}

function lockAndUnlock(client: LineClient): Pair {
  const asking = (line: string, reply: string): Request => {
    return async () => expectEqual('the bystander', (await client.ask([line]))[0], reply);
  };
  return [
    asking('g bystander', '1 Lock Get Success: bystander'),
    asking('r bystander', '1 Lock Release Success: bystander'),
  ];
}

function printWaits(name: string, { pairs, answers }: Waits): void {
  console.log(describeLatencies(`${name}, ${pairs.length} pairs`, pairs));
  console.log(describeLatencies('  each answer', answers));
}

async function measureEnds({ connections, exclusive, shared }: Case): Promise<void> {
  const server = await startServer({ settings: { limits: LIMITS }, openFiles: OPEN_FILES });

  const [watcher, bystander] = [await LineClient.connect(server.port), await LineClient.connect(server.port)];
  const pair = lockAndUnlock(bystander);
  const calm = await pairsOf(pair, (pairs) => pairs < CALM_PAIRS);
  const crowd = Crowd.start(OPEN_FILES, 'low');
  await crowd.connect(server.port, connections);
  // Clients see their connections open before the server has accepted them.
  while ((await watcher.statistics()).get('connections') !== connections + 2) await setTimeout(PAUSE_MS);
  const takenMs = performance.now();
  const taking = await pairsDuring(pair, crowd.take(exclusive, shared));
  const takingMs = performance.now() - takenMs;

  const all = connections * exclusive;
  const before = await watcher.statistics();
  expectEqual('locks before', before.get('locks'), all);
  expectEqual('shared locks before', before.get('shared_locks'), shared);
  expectEqual('connections before', before.get('connections'), connections + 2);

  const startMs = performance.now();
  const stopped = crowd.stop();
  const freeing = await pairsDuring(pair, untilFree(watcher, all, connections * shared));
  const freeMs = performance.now() - startMs;
  await stopped;
  const after = await watcher.statistics();
  expectEqual('locks after', after.get('locks'), 0);
  expectEqual('orphans', after.get('orphans'), all);
  expectEqual('shared orphans', after.get('shared_orphans'), connections * shared);
  await takeAgain(server, connections, exclusive);
  watcher.end();
  bystander.end();
  await server.stop();

  console.log(`${connections} connections, each with ${exclusive} exclusive and ${shared} shared locks, end at once`);
  console.log(
    `all taken in ${takingMs.toFixed(0)} ms; all free, all connections gone: ${freeMs.toFixed(0)} ms after the kill`,
  );
  printWaits('bystander before', calm);
  printWaits('bystander while they are taken', taking);
  printWaits('bystander while they are freed', freeing);
}

async function untilFree(watcher: LineClient, orphans: number, sharedOrphans: number): Promise<void> {
  for (;;) {
    const now = await watcher.statistics();
    const isFree = now.get('orphans') === orphans && now.get('shared_orphans') === sharedOrphans;
    if (isFree && now.get('connections') === 2 && (now.get('locks') as number) <= 1) return;
    await setTimeout(PAUSE_MS);
  }
}

/** Takes every lock of the crowd again. */
async function takeAgain(server: ServerProcess, connections: number, exclusive: number): Promise<void> {
  for (let connection = 0; connection < connections; connection += 1) {
    const newcomer = await LineClient.connect(server.port);
    const lines = Array.from({ length: exclusive }, (_, index) => `g ${ownLock(connection, index)}`);
    for (const reply of await newcomer.ask(lines)) expectEqual('a lock of the crowd', reply.slice(0, 2), '1 ');
    newcomer.end();
  }
}

/** The waits of the same bystander at a server that only loses its sockets. */
async function measureFloorEnds(connections: number): Promise<void> {
  const server = await startFloor('lines');
  const bystander = await LineClient.connect(server.port);
  const ask: Request = async () => {
    expectEqual('the floor', (await bystander.ask(['{"id":1}']))[0], '{"id":1,"result":{"status":"ok"}}');
  };
  const pair: Pair = [ask, ask];
  const crowd = Crowd.start(OPEN_FILES, 'low');
  await crowd.connect(server.port, connections);
  const calm = await pairsOf(pair, (pairs) => pairs < CALM_PAIRS);
  const freeing = await pairsDuring(pair, crowd.stop());
  // The server loses the last sockets after their process is gone.
  const after = await pairsOf(pair, (pairs) => pairs < CALM_PAIRS);
  bystander.end();
  await server.stop();
  console.log(`a server without locks, read as streams, loses ${connections} connections at once`);
  printWaits('bystander before', calm);
  printWaits('bystander meanwhile and a while after', {
    pairs: [...freeing.pairs, ...after.pairs],
    answers: [...freeing.answers, ...after.answers],
  });
}

await measureChurn();
// The end of the crowd's process needs a core, too: the bystander goes first, so that it does not wait for that.
if (!runFirst()) console.log('the bystander has to share its core: its waits may be longer than those for the server');
const cases = chosenCases();
for (const each of cases) await measureEnds(each);
await measureFloorEnds(Math.max(...cases.map((each) => each.connections)));
