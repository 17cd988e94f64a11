/**
 * Shows what it costs a server to look for hosts that vanished among 20,000 silent connections: how long a bystander waits
 * who asks all the time, and the processor time of the server, while nobody is silent long enough, while it looks at all for the first
 * time, while it knows that all output has arrived, and while a few clients who ask now and then make it read the
 * kernel's table every 5 seconds. Then as many sessions, each with a lock, ping as often as a quiet client does. Ends with code 1
 * when a connection is lost.
 *
 *     npm run build && node dist/bench/silent-crowd.js [--short] [--connections=20000]
 */

import { setTimeout } from 'node:timers/promises';
import { Crowd, LineClient } from './crowd.ts';
import { allowedOpenFiles, CORES, cpuMicroseconds, pinToCore, runFirst } from './processes.ts';
import { isShort, numberGiven, printTable, quantile, shown } from './program.ts';
import { startServer } from './servers.ts';

const WANTED = numberGiven('connections') ?? (isShort ? 200 : 20_000);
/** Each side of a connection is an open file, and one process may not have that many. */
const CROWDS = 2;
const OTHER_FILES = 200;
const PAUSE_MS = 1;
const MS_A_SECOND = 1_000;
const MICROSECONDS_A_SECOND = 1e6;
/** A look comes every 5 s, and takes in peers that were silent for 8 s. */
const SECONDS = isShort
  ? { before: 0.2, first: 0.2, idle: 0.2, reading: 0.2, sessions: 0.2 }
  : { before: 7, first: 9, idle: 15, reading: 30, sessions: 15 };
/** Each asks once in this many seconds. */
const SELDOM = 20;
/** A client pings when it was quiet for a quarter of its session's time-out, which is 20 s. */
const PING_MS = 5_000;

const openFiles = allowedOpenFiles(WANTED + OTHER_FILES);
/** Fewer where the system allows fewer open files. */
const CONNECTIONS = Math.min(WANTED, openFiles - OTHER_FILES);

async function ask(client: LineClient): Promise<number> {
  const startMs = performance.now();
  const [answer] = await client.ask(['i nobody']);
  if (answer?.startsWith('0 ') !== true) throw new Error(`an answer is ${answer}`);
  return performance.now() - startMs;
}

/** A line of the table: what a bystander sees in that time, and the processor time of the server. */
async function measure(name: string, seconds: number, pid: number, bystander: LineClient): Promise<string[]> {
  const waits: number[] = [];
  const [startMs, startCpu] = [performance.now(), cpuMicroseconds(pid)];
  while (performance.now() - startMs < seconds * MS_A_SECOND) {
    waits.push(await ask(bystander));
    await setTimeout(PAUSE_MS);
  }
  const busy =
    (cpuMicroseconds(pid) - startCpu) / ((performance.now() - startMs) / MS_A_SECOND) / MICROSECONDS_A_SECOND;
  waits.sort((a, b) => a - b);
  const times = [0.5, 0.999, 1].map((share) => shown(quantile(waits, share), 2));
  return [name, shown(seconds, 1), String(waits.length), ...times, `${shown(busy * 100, 1)} %`];
}

/** Asks by one client a second, in turn. */
async function askSeldom(clients: readonly LineClient[], isOver: () => boolean): Promise<void> {
  for (let turn = 0; !isOver(); turn += 1) {
    await ask(clients[turn % clients.length] as LineClient);
    await setTimeout(MS_A_SECOND);
  }
}

async function startCrowds(): Promise<Crowd[]> {
  const started = Array.from({ length: CROWDS }, () => Crowd.start(openFiles, 'low'));
  for (const crowd of started) await crowd.connect(server.port, Math.floor(CONNECTIONS / CROWDS));
  return started;
}

async function connectionsNow(): Promise<number | undefined> {
  return (await bystander.statistics()).get('connections');
}

async function expectConnections(): Promise<void> {
  const [expected, connections] = [CONNECTIONS + SELDOM + 1, await connectionsNow()];
  if (connections === expected) return;
  console.error(`${connections} connections instead of ${expected}`);
  process.exitCode = 1;
}

/** The crowds are gone for the server too. */
async function untilAlone(): Promise<void> {
  while ((await connectionsNow()) !== SELDOM + 1);
}

if (!runFirst()) console.log('the bystander has to share its core: its waits may be longer than those for the server');
const server = await startServer({ openFiles });
pinToCore(server.pid, CORES.server);
pinToCore(process.pid, CORES.generator);
const bystander = await LineClient.connect(server.port);
const seldom = await Promise.all(Array.from({ length: SELDOM }, () => LineClient.connect(server.port)));
const crowds = await startCrowds();
for (const crowd of crowds) await crowd.use();

const rows = [
  await measure('nobody is silent for long', SECONDS.before, server.pid, bystander),
  await measure('first looks at all', SECONDS.first, server.pid, bystander),
  await measure('all output has arrived', SECONDS.idle, server.pid, bystander),
];
let isOver = false;
const asking = askSeldom(seldom, () => isOver);
rows.push(await measure('the table is read every 5 s', SECONDS.reading, server.pid, bystander));
isOver = true;
await asking;

await expectConnections();
for (const crowd of crowds) await crowd.stop();
await untilAlone();
const sessions = await startCrowds();
for (const crowd of sessions) await crowd.keepSessions(PING_MS);
rows.push(await measure('each has a session, a lock and pings', SECONDS.sessions, server.pid, bystander));
await expectConnections();
for (const crowd of sessions) await crowd.stop();
for (const client of [bystander, ...seldom]) client.end();
await server.stop();
console.log(`${CONNECTIONS.toLocaleString('en')} connections, waits of a bystander in milliseconds`);
printTable(['', 'seconds', 'requests', 'p50', 'p99.9', 'worst', 'server busy'], rows);
