/**
 * Fills one server up to its default limits: 20,000 connections, each used once, then 1,000,000 locks on 100 connections.
 * Prints the memory of each. Then shows what it costs a server to look for hosts that vanished among as many silent
 * connections, and what as many sessions cost that hold a lock and ping as quiet clients do: how long a bystander waits
 * that asks all the time, and the processor time of the server. Ends with code 1 when the server refuses, loses or keeps one.
 *
 *     npm run build && node dist/bench/capacity.js [--short] [--connections=20000] [--locks=1000000] [--only=silent]
 */

import { readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Crowd, LineClient } from './crowd.ts';
import { allowedOpenFiles, CORES, cpuMicroseconds, pinToCore, residentBytes, runFirst } from './processes.ts';
import { isShort, numberGiven, printTable, quantile, shown, textGiven } from './program.ts';
import { type ServerProcess, startServer } from './servers.ts';

const CONNECTIONS = numberGiven('connections') ?? (isShort ? 500 : 20_000);
const LOCKS = numberGiven('locks') ?? (isShort ? 10_000 : 1_000_000);
const HOLDING_CONNECTIONS = 100;
/** Each side of a connection is an open file, and one process may not have that many. */
const CROWDS = 2;
/** For the watcher, and for files that the server keeps back beside connections. */
const SPARE_FILES = 60;
const OTHER_FILES = 100;
/** How long the server may take to accept the last connections. */
const ACCEPT_MS = 10_000;
const MS_A_SECOND = 1_000;
const MICROSECONDS_A_SECOND = 1e6;
/** How long each line of the table of silent connections takes. A look comes every 5 s, for peers that were silent for 8 s. */
const SECONDS = isShort
  ? { before: 0.2, first: 0.2, idle: 0.2, reading: 0.2, sessions: 0.2 }
  : { before: 7, first: 9, idle: 15, reading: 30, sessions: 15 };
const PAUSE_MS = 1;
/** So many clients ask now and then, each once in as many seconds: they make the server read the kernel's table. */
const SELDOM = 20;
/** A client pings when it was quiet for a quarter of its session's time-out, which is 20 s. */
const PING_MS = 5_000;

const openFiles = allowedOpenFiles(CONNECTIONS + OTHER_FILES);

async function start(): Promise<ServerProcess> {
  const server = await startServer({ openFiles });
  pinToCore(server.pid, CORES.server);
  return server;
}

/** The number asked for, or less when the system allows fewer open files. */
function possibleConnections(server: ServerProcess): number {
  const possible = openFiles - readdirSync(`/proc/${server.pid}/fd`).length - SPARE_FILES;
  if (possible >= CONNECTIONS) return CONNECTIONS;
  console.log(
    `${CONNECTIONS} connections take more open files than the ${openFiles} that are allowed: ${possible} instead`,
  );
  return possible;
}

function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}

async function expectStatistics(watcher: LineClient, expected: Readonly<Record<string, number>>): Promise<void> {
  const statistics = await watcher.statistics();
  for (const [name, value] of Object.entries(expected)) expectEqual(name, statistics.get(name), value);
}

/** A client sees its connection open before the server has accepted it. */
async function untilAccepted(watcher: LineClient, connections: number): Promise<void> {
  const endMs = performance.now() + ACCEPT_MS;
  while ((await watcher.statistics()).get('connections') !== connections && performance.now() < endMs);
}

/** Ends a crowd and waits until the server knows. */
async function stopAll(crowds: readonly Crowd[], watcher: LineClient): Promise<void> {
  for (const crowd of crowds) await crowd.stop();
  for (;;) {
    const statistics = await watcher.statistics();
    if (statistics.get('connections') === 1 && statistics.get('locks') === 0) return;
  }
}

async function measureConnections(): Promise<void> {
  const server = await start();
  const watcher = await LineClient.connect(server.port);
  const connections = possibleConnections(server);
  const crowds = Array.from({ length: CROWDS }, () => Crowd.start(openFiles));
  const before = residentBytes(server.pid);
  const startMs = performance.now();
  for (const [index, crowd] of crowds.entries()) {
    await crowd.connect(server.port, Math.floor((connections + index) / CROWDS));
  }
  const seconds = (performance.now() - startMs) / 1_000;
  await untilAccepted(watcher, connections + 1);
  const unused = (residentBytes(server.pid) - before) / connections;
  for (const crowd of crowds) await crowd.use();
  await expectStatistics(watcher, {
    connections: connections + 1,
    command_g: connections,
    command_r: connections,
    locks: 0,
    orphans: 0,
  });
  const used = (residentBytes(server.pid) - before) / connections;
  await stopAll(crowds, watcher);
  watcher.end();
  await server.stop();
  console.log(`${connections.toLocaleString('en')} connections, opened in ${shown(seconds, 1)} s, none refused`);
  console.log(
    `each took and released a lock; the server grew by ${shown(unused)} bytes for each before, ${shown(used)} after`,
  );
}

async function measureLocks(): Promise<void> {
  const server = await start();
  const watcher = await LineClient.connect(server.port);
  const crowd = Crowd.start(openFiles);
  await crowd.connect(server.port, HOLDING_CONNECTIONS);
  await crowd.use();
  const before = residentBytes(server.pid);
  const startMs = performance.now();
  await crowd.hold(LOCKS);
  const seconds = (performance.now() - startMs) / 1_000;
  await expectStatistics(watcher, { locks: LOCKS });
  const grown = residentBytes(server.pid) - before;
  const [answer] = await watcher.ask(['g one-more']);
  expectEqual('one lock more', answer, '1 Lock Get Success: one-more');
  await watcher.ask(['r one-more']);
  await stopAll([crowd], watcher);
  await expectStatistics(watcher, { orphans: LOCKS });
  watcher.end();
  await server.stop();
  console.log(
    `${LOCKS.toLocaleString('en')} locks of ${HOLDING_CONNECTIONS} connections, taken in ${shown(seconds, 1)} s, none refused`,
  );
  console.log(
    `the server grew by ${shown(grown / LOCKS)} bytes for each; all were free once the connections had ended`,
  );
}

async function ask(client: LineClient): Promise<number> {
  const startMs = performance.now();
  const [answer] = await client.ask(['i nobody']);
  if (answer?.startsWith('0 ') !== true) throw new Error(`an answer is ${answer}`);
  return performance.now() - startMs;
}

/** A line of the table: what a bystander sees in that time, and the processor time of the server. */
async function measureWaits(name: string, seconds: number, pid: number, bystander: LineClient): Promise<string[]> {
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

async function startCrowds(server: ServerProcess, connections: number): Promise<Crowd[]> {
  const crowds = Array.from({ length: CROWDS }, () => Crowd.start(openFiles, 'low'));
  for (const crowd of crowds) await crowd.connect(server.port, connections);
  return crowds;
}

async function measureSilence(): Promise<void> {
  if (!runFirst())
    console.log('the bystander has to share its core: its waits may be longer than those for the server');
  const server = await start();
  pinToCore(process.pid, CORES.generator);
  const bystander = await LineClient.connect(server.port);
  const seldom = await Promise.all(Array.from({ length: SELDOM }, () => LineClient.connect(server.port)));
  const connections = possibleConnections(server) - SELDOM;
  const each = Math.floor(connections / CROWDS);
  const crowds = await startCrowds(server, each);
  for (const crowd of crowds) await crowd.use();
  const rows = [
    await measureWaits('nobody is silent for long', SECONDS.before, server.pid, bystander),
    await measureWaits('first looks at all', SECONDS.first, server.pid, bystander),
    await measureWaits('all output has arrived', SECONDS.idle, server.pid, bystander),
  ];
  let isOver = false;
  const asking = askSeldom(seldom, () => isOver);
  rows.push(await measureWaits('the table is read every 5 s', SECONDS.reading, server.pid, bystander));
  isOver = true;
  await asking;
  await expectStatistics(bystander, { connections: CROWDS * each + SELDOM + 1 });
  for (const crowd of crowds) await crowd.stop();
  await untilAccepted(bystander, SELDOM + 1);

  const sessions = await startCrowds(server, each);
  for (const crowd of sessions) await crowd.keepSessions(PING_MS);
  rows.push(await measureWaits('each has a session, a lock and pings', SECONDS.sessions, server.pid, bystander));
  await expectStatistics(bystander, { connections: CROWDS * each + SELDOM + 1 });
  for (const crowd of sessions) await crowd.stop();
  for (const client of [bystander, ...seldom]) client.end();
  await server.stop();
  console.log(`${connections.toLocaleString('en')} silent connections, waits of a bystander in milliseconds`);
  printTable(['', 'seconds', 'requests', 'p50', 'p99.9', 'worst', 'server busy'], rows);
}

if (textGiven('only') !== 'silent') {
  await measureConnections();
  await measureLocks();
}
await measureSilence();
