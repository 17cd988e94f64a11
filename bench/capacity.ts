/**
 * Fills one server up to its default limits: 20,000 connections, each used once, then 1,000,000 locks on 100 connections.
 * Prints the memory of each. Ends with code 1 when the server refuses, loses or keeps one.
 *
 *     npm run build && node dist/bench/capacity.js [--short] [--connections=20000] [--locks=1000000]
 */

import { readdirSync } from 'node:fs';
import { Crowd, LineClient } from './crowd.ts';
import { allowedOpenFiles, CORES, pinToCore, residentBytes } from './processes.ts';
import { isShort, numberGiven, shown } from './program.ts';
import { type ServerProcess, startServer } from './servers.ts';

const CONNECTIONS = numberGiven('connections') ?? (isShort ? 500 : 20_000);
const LOCKS = numberGiven('locks') ?? (isShort ? 10_000 : 1_000_000);
const HOLDING_CONNECTIONS = 100;
/** Each side of a connection is an open file, and one process may not have that many. */
const CROWDS = 2;
/** For the watcher, and for files that the server keeps back beside connections. */
const SPARE_FILES = 20;
const OTHER_FILES = 100;
/** How long the server may take to accept the last connections. */
const ACCEPT_MS = 10_000;

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

await measureConnections();
await measureLocks();
