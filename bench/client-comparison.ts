/**
 * What one lock with its unlock costs an application through `LockClient`, beside a lock in Redis through `redis` and an
 * advisory lock of Postgres through `pg`: one after the other, and 100 flows at once with a name of its own each. Every
 * client is a process of its own, its server another; they take turns for some rounds, of which the medians are printed.
 *
 *     npm run build && node dist/bench/client-comparison.js [--short]
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { COMPARED_CLIENTS, type ComparedClient } from './compared-clients.ts';
import type { ForeignServer } from './foreign-server.ts';
import { startPostgres } from './postgres-process.ts';
import { isShort, quantile } from './program.ts';
import { startRedis } from './redis-process.ts';
import { type ServerProcess, startServer } from './server-process.ts';

const ROUNDS = isShort ? 1 : 5;
const TURN_MS = isShort ? 100 : 600;
const AT_ONCE = 100;

/** What one turn of a client came to, or the medians of all its turns. */
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

/** One client: takes a turn each time it is told how many flows there are. */
async function serveTurns(name: string, port: number): Promise<void> {
  const client = await COMPARED_CLIENTS[name]?.(port);
  if (client === undefined) throw new Error(`the client is ${JSON.stringify(name)}; expected one that there is`);
  process.once('disconnect', () => process.exit());
  process.on('message', (flows: number | 'close') => {
    if (flows === 'close') void client.close().then(() => process.disconnect());
    else void takeTurn(client, flows).then((figures) => process.send?.(figures));
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
      await client.pair(flow);
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

/** What the client answers; rejects when it ends instead. */
async function answerOf({ name, process: child }: Contestant): Promise<unknown> {
  const stop = new AbortController();
  const failed = once(child, 'exit', { signal: stop.signal }).then(([code]) => {
    throw new Error(`the client ${name} ended with code ${code}`);
  });
  try {
    const answers = await Promise.race([once(child, 'message', { signal: stop.signal }), failed]);
    return answers[0];
  } finally {
    failed.catch(() => {});
    stop.abort();
  }
}

async function startContestant(name: string, port: number): Promise<Contestant> {
  const child = fork(fileURLToPath(import.meta.url), ['--client', name, String(port), ...(isShort ? ['--short'] : [])]);
  const contestant = { name, process: child };
  await answerOf(contestant);
  return contestant;
}

async function stopContestant({ process: child }: Contestant): Promise<void> {
  const exited = once(child, 'exit');
  child.send('close');
  await exited;
}

/** All contestants in turn, round after round; the first turn of each warms it up. */
async function compare(contestants: readonly Contestant[], flows: number): Promise<void> {
  const rounds = new Map<Contestant, Figures[]>(contestants.map((contestant) => [contestant, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const contestant of contestants) {
      contestant.process.send(flows);
      const figures = (await answerOf(contestant)) as Figures;
      if (round > 0) rounds.get(contestant)?.push(figures);
    }
  }
  const how = flows === 1 ? 'one after the other' : `${flows} at once`;
  console.log(`\n${how.padEnd(28)}${['locks/s', 'client CPU us', 'p50 us', 'p99 us'].map(column).join('')}`);
  const rows = contestants.map(
    (contestant) => [contestant.name, medians(rounds.get(contestant) as Figures[])] as const,
  );
  for (const [name, figures] of rows) console.log(`${name.padEnd(28)}${columns(figures).map(whole).join('')}`);
  const [first, ...others] = rows;
  if (first === undefined) return;
  for (const [name, figures] of others) {
    const ratios = columns(figures).map((other, index) => (columns(first[1])[index] as number) / other);
    console.log(`${`${first[0]} : ${name}`.padEnd(28)}${ratios.map((ratio) => column(ratio.toFixed(2))).join('')}`);
  }
}

function medians(rounds: readonly Figures[]): Figures {
  const medianOf = (key: keyof Figures): number =>
    quantile(
      rounds.map((figures) => figures[key]).sort((a, b) => a - b),
      0.5,
    );
  return {
    pairsPerSecond: medianOf('pairsPerSecond'),
    cpuUs: medianOf('cpuUs'),
    p50Us: medianOf('p50Us'),
    p99Us: medianOf('p99Us'),
  };
}

function columns({ pairsPerSecond, cpuUs, p50Us, p99Us }: Figures): readonly number[] {
  return [pairsPerSecond, cpuUs, p50Us, p99Us];
}

function column(text: string): string {
  return text.padStart(15);
}

function whole(value: number): string {
  return column(value.toFixed(value < 100 ? 1 : 0));
}

async function measure(): Promise<void> {
  const servers = new Map<string, ForeignServer | ServerProcess | undefined>([
    ['holdfast', await startServer()],
    ['redis', await startRedis()],
    ['pg', await startPostgres()],
  ]);
  const contestants = new Map<string, Contestant>();
  try {
    for (const name of Object.keys(COMPARED_CLIENTS)) {
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
