/**
 * Sends random and malformed input to a server over real sockets, by every transport and in every protocol: wild messages, lines and
 * frames, WebSocket frames and TLS records made by hand, damaged bytes, and good requests in random pieces, which must all be
 * answered. A bystander holds and takes locks meanwhile. Ends with code 1 when the server ends, fails at a request, or keeps
 * memory, sessions or locks. All that is sent follows from the seed, which it prints.
 *
 *     npm run build && node dist/bench/fuzz.js [--short] [--seconds=120] [--seed=1] [--first=0 --cases=1000]
 */

import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bystander } from './fuzz-bystander.ts';
import { makeCase, type Transport } from './fuzz-case.ts';
import { type Places, runCase } from './fuzz-peer.ts';
import { isShort, numberGiven } from './program.ts';
import { findRemains } from './remains.ts';
import { canMakeCertificates, type LockServerProcess, makeCertificate, startServer } from './servers.ts';

const SEED = numberGiven('seed') ?? randomInt(2 ** 31);
const FIRST = numberGiven('first') ?? 0;
const END = FIRST + (numberGiven('cases') ?? Number.POSITIVE_INFINITY);
const SECONDS = numberGiven('seconds') ?? (isShort ? 8 : 120);
const PEERS = 32;
const SETTLE_MS = 20_000;
/** When to look at the memory first: by then the server has met nearly everything. */
const WARM_UP_SHARE = 0.4;
/** Far less than a leak of one connection or message in ten would leave behind in a minute. */
const MAX_GROWTH_BYTES = 4 * 2 ** 20;
/** Small, so that the input reaches them. */
const LIMITS = {
  maxMessageBytes: 16_384,
  maxLocksPerSession: 12,
  maxWaitersPerLock: 10,
  maxPendingRequests: 10,
  maxLocksPerRequest: 3,
  maxNameBytes: 2_000,
  maxPageEntries: 10,
  maxPageBytes: 4_096,
  softOutputBytes: 8_192,
  hardOutputBytes: 65_536,
  closeTimeoutMs: 1_000,
};
const ERROR_LEVEL = 50;
const WEB_SOCKET = { transport: 'websocket', port: 'auto' } as const;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-fuzz-'));
const violations: string[] = [];
/** The numbers of the cases that run, to be repeated when the server ends. */
const running = new Set<number>();
let next = FIRST;

/** Starts the server with a listener for each transport; those with TLS need `openssl`. */
async function start(): Promise<{ readonly server: LockServerProcess; readonly places: Places }> {
  const path = join(folder, 'socket');
  const tls = canMakeCertificates() ? { ...makeCertificate(folder), ca: '' } : undefined;
  const secure =
    tls === undefined
      ? []
      : [
          { transport: 'tcp', port: 'auto', tls },
          { ...WEB_SOCKET, tls },
        ];
  const server = await startServer({
    settings: { limits: LIMITS, listeners: [{ transport: 'unix', path }, WEB_SOCKET, ...secure] },
    preload: new URL('server-memory.js', import.meta.url).href,
  });
  const names: readonly Transport[] = ['tcp', 'unix', 'webSocket', 'tls', 'secureWebSocket'];
  const places = server.addresses.map((address, index) => [names[index], placeOf(address)]);
  return { server, places: Object.fromEntries(places) as Places };
}

function placeOf(address: string): NetConnectOpts {
  const port = /:(\d+)$/.exec(address)?.[1];
  return port === undefined ? { path: address } : { host: '127.0.0.1', port: Number(port) };
}

/** Runs cases until the time is over or there are no more. */
async function runCases(places: Places, untilMs: number, end: number): Promise<void> {
  const transports = Object.keys(places) as Transport[];
  const runPeer = async (): Promise<void> => {
    while (next < end && (Number.isFinite(END) || performance.now() < untilMs)) {
      const index = next;
      next += 1;
      running.add(index);
      const problem = await runCase(makeCase(SEED, index, transports), places);
      if (problem !== undefined) violations.push(`case ${index}: ${problem}`);
      running.delete(index);
    }
  };
  await Promise.all(Array.from({ length: PEERS }, runPeer));
}

/** What the server uses once all peers are gone. */
async function memoryOf({ process: child }: LockServerProcess, bystander: Bystander): Promise<number> {
  if (!(await bystander.untilAlone(SETTLE_MS))) violations.push('connections are left behind');
  return await new Promise((resolve) => {
    child.once('message', (bytes: number) => resolve(bytes));
    child.send('memory');
  });
}

function findErrors(log: string): string[] {
  const lines = log.split('\n').filter((line) => line.startsWith('{'));
  return lines.filter((line) => (JSON.parse(line) as { readonly level: number }).level >= ERROR_LEVEL);
}

console.log(`seed ${SEED}`);
process.on('exit', (code) => {
  if (code !== 0)
    console.log(`to repeat: --seed=${SEED} --first=${FIRST} --cases=${next - FIRST}; ran: ${[...running]}`);
});
const { server, places } = await start();
const bystander = await Bystander.start(server.port);
const startMs = performance.now();
const warmEnd = FIRST + Math.ceil((END - FIRST) * WARM_UP_SHARE);
await runCases(places, startMs + SECONDS * 1_000 * WARM_UP_SHARE, warmEnd);
const warm = await memoryOf(server, bystander);
await runCases(places, startMs + SECONDS * 1_000, END);
const growth = (await memoryOf(server, bystander)) - warm;
await bystander.stop();
violations.push(...bystander.violations, ...(await findRemains(server.port)));
if (growth > MAX_GROWTH_BYTES) violations.push(`the server uses ${growth} bytes more than after the first part`);
violations.push(...findErrors(server.log()));
await server.stop();
rmSync(folder, { recursive: true });

console.log(
  `${next - FIRST} peers by ${Object.keys(places).join(', ')} in ${((performance.now() - startMs) / 1_000).toFixed(0)} s; ` +
    `the bystander took its lock ${bystander.turnCount} times; the server's memory grew by ${(growth / 1_024).toFixed(0)} kB`,
);
for (const violation of violations.slice(0, 20)) console.log(`VIOLATION: ${violation}`);
console.log(`${violations.length} violations`);
if (violations.length > 0) process.exitCode = 1;
