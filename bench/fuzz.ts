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
import { setTimeout as pause } from 'node:timers/promises';
import { LockClient, type LockHandle } from 'holdfast';
import { makeCase, type Places, runCase, type Transport } from './fuzz-peer.ts';
import { HELD_NAME } from './fuzz-traffic.ts';
import type { MeasuredProcessOrder } from './measured-process.ts';
import { isShort, numberGiven } from './program.ts';
import { canMakeCertificates, findRemains, type LockServerProcess, makeCertificate, startServer } from './servers.ts';

const BYSTANDER_NAME = 'bystander';
const MAX_WAIT_MS = 10_000;

/** An honest client beside the peers: it holds one lock all the time, takes another over and over, and collects what went wrong. */
class Bystander {
  readonly violations: string[] = [];
  readonly #client: LockClient;
  readonly #held: LockHandle;
  readonly #turns: Promise<void>;
  #turnCount = 0;
  #state: 'running' | 'stopping' = 'running';

  /** Connects to a server on 127.0.0.1 and begins. */
  static async start(port: number): Promise<Bystander> {
    const client = await LockClient.connect({ port, reconnect: false });
    return new Bystander(client, await client.lock(HELD_NAME));
  }

  private constructor(client: LockClient, held: LockHandle) {
    this.#client = client;
    this.#held = held;
    held.signal.addEventListener('abort', () => this.violations.push(`the held lock was lost: ${held.signal.reason}`));
    this.#turns = this.#takeTurns().catch((error: Error) => {
      this.violations.push(`the bystander failed: ${error.stack ?? error}`);
    });
  }

  /** How often it took its other lock. */
  get turnCount(): number {
    return this.#turnCount;
  }

  /** Resolves once no other client is connected; false if there still is one after a while. */
  async untilAlone(waitMs: number): Promise<boolean> {
    const endMs = performance.now() + waitMs;
    while (performance.now() < endMs) {
      if ((await this.#client.stats()).openConnections === 1) return true;
      await pause(20);
    }
    return false;
  }

  /** Looks whether it still has its lock, and whether the server failed at anything; then leaves. */
  async stop(): Promise<void> {
    this.#state = 'stopping';
    await this.#turns;
    try {
      const { holders } = await this.#client.inspect(HELD_NAME);
      const tokens = holders.map(({ token }) => token).join();
      if (tokens !== String(this.#held.token)) this.violations.push(`the held lock is held by ${tokens || 'nobody'}`);
      const { failedRequests } = await this.#client.stats();
      if (failedRequests > 0) this.violations.push(`${failedRequests} handlers threw`);
      await this.#held.release();
      await this.#client.close();
    } catch (error) {
      this.violations.push(`the bystander could not leave: ${error}`);
    }
  }

  async #takeTurns(): Promise<void> {
    let lastToken = this.#held.token;
    while (this.#state === 'running') {
      const handle = await this.#client.lock(BYSTANDER_NAME, { waitMs: MAX_WAIT_MS });
      if (handle.token <= lastToken) this.violations.push(`token ${handle.token} came after ${lastToken}`);
      lastToken = handle.token;
      if (!(await handle.release())) this.violations.push('a lock was lost before its release');
      this.#turnCount += 1;
      await pause(1);
    }
  }
}

const SEED = numberGiven('seed') ?? randomInt(2 ** 31);
const FIRST = numberGiven('first') ?? 0;
const END = FIRST + (numberGiven('cases') ?? Number.POSITIVE_INFINITY);
const SECONDS = numberGiven('seconds') ?? (isShort ? 8 : 120);
const PEERS = 32;
const SETTLE_MS = 20_000;
/** When to look at the memory first: by then the server has met nearly everything. */
const WARM_UP_SHARE = 0.4;
/** Far less than the memory that a leak of every tenth connection or message would keep in a minute. */
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
    settings: { limits: LIMITS, listeners: [{ transport: 'unix', path, admin: false }, WEB_SOCKET, ...secure] },
    preload: new URL('measured-process.js', import.meta.url).href,
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
    child.send({ tell: 'memory' } satisfies MeasuredProcessOrder);
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
