/**
 * Measures one lock with its unlock through `LockClient`, beside a lock in Redis through `redis` and an advisory lock of
 * Postgres through `pg`: one after the other, and 100 flows at once, each with a lock of its own. Every client and every
 * server has a process of its own. The clients take turns; the program prints the medians of the rounds.
 *
 *     npm run build && node dist/bench/client-comparison.js [--short]
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  type ComparedClient,
  connectHoldfast,
  connectPostgres,
  connectPostgresPool,
  connectRedis,
} from './compared-clients.ts';
import { startPostgres, startRedis } from './foreign-servers.ts';
import { askChild } from './processes.ts';
import { isShort, median, printTable, quantile, shown } from './program.ts';
import { startServer } from './servers.ts';

const ROUNDS = isShort ? 1 : 5;
const TURN_MS = isShort ? 100 : 600;
const AT_ONCE = 100;

/** How to connect each client to its server. */
const CLIENTS: Readonly<Record<string, (port: number) => Promise<ComparedClient>>> = {
  holdfast: connectHoldfast,
  redis: (port) => connectRedis(port),
  'pg, one client': connectPostgres,
  'pg, pool of 100': (port) => connectPostgresPool(port, 100),
  'pg, pool of 10': (port) => connectPostgresPool(port, 10),
};

/** The figures of one turn of a client. */
interface Figures {
  readonly pairsPerSecond: number;
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

interface Contestant {
  readonly name: string;
  readonly process: ChildProcess;
}

/** A message to the process of a client: to take a turn with so many flows. */
interface TurnOrder {
  readonly flows: number;
}

/** The process of one client. */
async function serveTurns(name: string, port: number): Promise<void> {
  const client = await CLIENTS[name]?.(port);
  if (client === undefined) throw new Error(`there is no client ${JSON.stringify(name)}`);
  process.once('disconnect', () => void client.close().then(() => process.exit()));
  process.on('message', ({ flows }: TurnOrder) => {
    void takeTurn(client, flows).then((figures) => process.send?.(figures));
  });
  process.send?.('ready');
}

async function takeTurn(client: ComparedClient, flows: number): Promise<Figures> {
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const run = async (_: unknown, flow: number): Promise<void> => {
    let nowMs = performance.now();
    while (nowMs < startMs + TURN_MS) {
      const pairMs = nowMs;
      await client.lock(flow);
      await client.unlock(flow);
      nowMs = performance.now();
      latenciesMs.push(nowMs - pairMs);
    }
  };
  await Promise.all(Array.from({ length: flows }, run));
  const { user, system } = process.cpuUsage(startCpu);
  const durationMs = performance.now() - startMs;
  const sorted = latenciesMs.sort((a, b) => a - b);
  return {
    pairsPerSecond: (sorted.length * 1_000) / durationMs,
    cpuUs: (user + system) / sorted.length,
    p50Us: quantile(sorted, 0.5) * 1_000,
    p99Us: quantile(sorted, 0.99) * 1_000,
  };
}

async function startContestant(name: string, port: number): Promise<Contestant> {
  const args = ['--client', name, String(port), ...(isShort ? ['--short'] : [])];
  const child = fork(fileURLToPath(import.meta.url), args);
  await once(child, 'message');
  return { name, process: child };
}

async function stopContestant({ process: child }: Contestant): Promise<void> {
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
}

/** All contestants in turn, round after round; the first turn of each warms it up. */
async function compare(contestants: readonly Contestant[], flows: number): Promise<void> {
  const rounds = contestants.map((): Figures[] => []);
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      const figures = await askChild<Figures>(contestant.process, { flows } satisfies TurnOrder);
      if (round > 0) rounds[index]?.push(figures);
    }
  }
  const rows = rounds.map(columnsOf);
  const own = rows[0] ?? [];
  const ratios = rows.slice(1).map((row) => row.map((other, column) => (own[column] ?? Number.NaN) / other));
  console.log();
  printTable(
    [flows === 1 ? 'one after the other' : `${flows} at once`, 'locks/s', 'client CPU us', 'p50 us', 'p99 us'],
    [
      ...rows.map((row, index) => [
        nameAt(contestants, index),
        ...row.map((value) => shown(value, value < 100 ? 1 : 0)),
      ]),
      ...ratios.map((row, index) => [
        `holdfast : ${nameAt(contestants, index + 1)}`,
        ...row.map((value) => shown(value, 2)),
      ]),
    ],
  );
}

function nameAt(contestants: readonly Contestant[], index: number): string {
  return contestants[index]?.name ?? '';
}

/** The medians, in the order of the columns. */
function columnsOf(rounds: readonly Figures[]): number[] {
  return (['pairsPerSecond', 'cpuUs', 'p50Us', 'p99Us'] as const).map((key) => median(rounds.map((each) => each[key])));
}

async function measure(): Promise<void> {
  const servers = new Map([
    ['holdfast', await startServer()],
    ['redis', await startRedis()],
    ['pg', await startPostgres()],
  ]);
  const contestants = new Map<string, Contestant>();
  try {
    for (const name of Object.keys(CLIENTS)) {
      const server = servers.get(name.replace(/,.*/, ''));
      if (server !== undefined) contestants.set(name, await startContestant(name, server.port));
    }
    const among = (...names: string[]): Contestant[] =>
      names.map((name) => contestants.get(name)).filter((contestant) => contestant !== undefined);
    console.log(`a lock with its unlock through each client, medians of ${ROUNDS} rounds of ${TURN_MS} ms`);
    await compare(among('holdfast', 'redis', 'pg, one client'), 1);
    await compare(among('holdfast', 'redis', 'pg, pool of 100', 'pg, pool of 10'), AT_ONCE);
    await Promise.all([...contestants.values()].map(stopContestant));
  } finally {
    for (const { process: child } of contestants.values()) child.kill();
    for (const [name, server] of servers) {
      if (server === undefined) console.log(`${name}: left out, its server is not installed`);
      await server?.stop();
    }
  }
}

const [role, name = '', port] = process.argv.slice(2);
await (role === '--client' ? serveTurns(name, Number(port)) : measure());
