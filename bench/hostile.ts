/**
 * Lets hostile and unlucky clients of many kinds loose on a server, one kind after the other, beside a bystander who locks
 * and unlocks a name of its own every 5 ms. Prints the longest wait of the bystander, the same without the time in which the machine
 * was busy with something else, how long the server ran at most before it answered, and the memory of the server before, at most
 * and after. Ends with code 1 when the server ends, when the bystander is refused or cut off, when a lock stays, or, unless the run is
 * short, when the server runs for more than 50 ms.
 *
 * With `--minutes`, clients of all kinds come at the same time instead, and a refusal because of a limit is only counted.
 *
 *     npm run build && node dist/bench/hostile.js [--short] [--kind=inspects] [--heap=256]
 *     npm run build && node dist/bench/hostile.js --minutes=10 [--clients=200] [--heap=256]
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Kind, OtherPorts } from './hostile-acts.ts';
import { beBystander, type Seen } from './hostile-bystander.ts';
import { crowd } from './hostile-crowd.ts';
import { FRAME_KINDS } from './hostile-frames.ts';
import { KINDS } from './hostile-kinds.ts';
import { Peer } from './hostile-peer.ts';
import { SESSION_KINDS } from './hostile-sessions.ts';
import { allowedOpenFiles, askChild, residentBytes } from './processes.ts';
import { isShort, numberGiven, printTable, shown, textGiven } from './program.ts';
import { canMakeCertificates, type LockServerProcess, makeCertificate, startServer } from './servers.ts';

const PROGRAM = fileURLToPath(import.meta.url);
const BYSTANDER = '--bystander';
const BYTES_A_MEBIBYTE = 1_048_576;
const SETTLE_MS = 100;
const WATCH_MS = 20;
/** Nothing of what a kind does takes longer than that; a bystander that waits so long was forgotten. */
const MAX_SECONDS = 120;
/** The end of a session that is suspended is waited for. */
const MAX_END_ATTEMPTS = 300;
const DEFAULT_CLIENTS = 200;
/** The server must not run longer than this before it answers a bystander. Other than a wait, that does not depend on the machine's load. */
const MAX_RAN_MS = 50;
const HEADINGS = ['kind', 'waits at most, ms', 'of the server', 'it ran', 'pairs', 'MiB before', 'at most', 'after'];

const ALL_KINDS: Readonly<Record<string, Kind>> = { ...KINDS, ...SESSION_KINDS, ...FRAME_KINDS };
const minutes = numberGiven('minutes');
const isCrowd = minutes !== undefined;

const NOTHING_HELD = '"holders":0,"waiting":0,"sessions":1,';

/** What the server still has of what a kind did, once it has had time to end all; undefined for nothing. */
async function findLeft(port: number): Promise<string | undefined> {
  const peer = await Peer.open(port);
  for (let attempt = 1; attempt <= MAX_END_ATTEMPTS; attempt += 1) {
    peer.send('stats', {}, attempt);
    await peer.replied(attempt);
    if (peer.lastReply.includes(NOTHING_HELD)) break;
    await setTimeout(SETTLE_MS);
  }
  Peer.destroyAll();
  return peer.lastReply.includes(NOTHING_HELD) ? undefined : `left behind: ${peer.lastReply.slice(0, 200)}`;
}

function startBystander({ port, pid }: LockServerProcess): Promise<ChildProcess> {
  const child = fork(PROGRAM, [
    BYSTANDER,
    `--port=${port}`,
    `--server=${pid}`,
    ...(minutes === undefined ? [] : [`--minutes=${minutes}`]),
  ]);
  return once(child, 'message').then(() => child);
}

/** The memory of a process while something goes on. */
class MemoryWatch {
  readonly beforeBytes: number;
  mostBytes = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.beforeBytes = residentBytes(pid);
    this.#timer = setInterval(() => {
      this.mostBytes = Math.max(this.mostBytes, residentBytes(pid));
    }, WATCH_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Starts a server with a listener for WebSocket and, if possible, one for TLS. */
async function start(): Promise<LockServerProcess> {
  const heap = numberGiven('heap');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-hostile-'));
  const tls = canMakeCertificates() ? { ...makeCertificate(folder), ca: '' } : undefined;
  const secure = tls === undefined ? [] : [{ transport: 'tcp', port: 'auto', tls }];
  const server = await startServer({
    openFiles: allowedOpenFiles(8_192),
    nodeArgs: heap === undefined ? [] : [`--max-old-space-size=${heap}`],
    settings: { listeners: [{ transport: 'websocket', port: 'auto' }, ...secure] },
  });
  rmSync(folder, { recursive: true });
  return server;
}

function otherPorts({ addresses }: LockServerProcess): OtherPorts {
  const [, webSocket, tls] = addresses.map((address) => Number(address.slice(address.lastIndexOf(':') + 1)));
  return { webSocket: webSocket as number, tls };
}

/** Runs one kind against a server of its own; returns a row of the table. */
async function measure(name: string, kind: Kind): Promise<string[]> {
  const server = await start();
  const memory = new MemoryWatch(server.pid);
  const attack = await kind(server.port, otherPorts(server));
  const bystander = await startBystander(server);
  const end = await Promise.race([
    attack().then(() => 'over'),
    setTimeout((MAX_SECONDS + (minutes ?? 0) * 60) * 1_000, 'not over', { ref: false }),
  ]);
  await setTimeout(SETTLE_MS);
  const seen = await askChild<Seen>(bystander, {});
  Peer.destroyAll();
  const left = await findLeft(server.port);
  memory.stop();
  const tooLong = seen.worstRanMs > MAX_RAN_MS ? `the server ran for ${shown(seen.worstRanMs)} ms first` : undefined;
  // A short run is part of other checks, and none of these may fail for a time.
  if (isShort && tooLong !== undefined) console.log(`${name}: ${tooLong}`);
  const problems = [end === 'over' ? undefined : 'it did not end', seen.problem, isShort ? undefined : tooLong, left];
  for (const problem of problems) {
    if (problem === undefined) continue;
    console.error(`${name}: ${problem}`);
    process.exitCode = 1;
  }
  if (seen.refused > 0) console.log(`${name}: a limit kept the bystander ${seen.refused} times from its lock`);
  const bytes = [memory.beforeBytes, memory.mostBytes, residentBytes(server.pid)];
  await server.stop();
  const waits = [seen.worstMs, seen.worstOfServerMs, seen.worstRanMs].map((each) => shown(each, 1));
  return [name, ...waits, shown(seen.count), ...bytes.map((each) => shown(each / BYTES_A_MEBIBYTE))];
}

function crowdFor(length: number): Kind {
  return async (port) => () => crowd(port, numberGiven('clients') ?? DEFAULT_CLIENTS, length);
}

async function main(): Promise<void> {
  const chosen = textGiven('kind');
  const kinds = Object.entries(isCrowd ? { crowd: crowdFor(minutes) } : ALL_KINDS).filter(
    ([name]) => chosen === undefined || name === chosen,
  );
  if (kinds.length === 0) throw new Error(`--kind is ${chosen}; expected one of ${Object.keys(ALL_KINDS).join(', ')}`);
  const rows: string[][] = [];
  for (const [name, kind] of kinds) rows.push(await measure(name, kind));
  printTable(HEADINGS, rows);
}

if (process.argv.includes(BYSTANDER)) {
  const [port, serverPid] = [numberGiven('port'), numberGiven('server')] as [number, number];
  await beBystander({ port, serverPid, mayBeRefused: isCrowd });
} else {
  await main();
}
