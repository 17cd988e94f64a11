/** `holdfast bench`: how much a server does, and how long a lock takes, under a load of this program. */

import { randomUUID } from 'node:crypto';
import type { RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LockClient } from '../../../client/lock-client.ts';
import { HOLDFAST_CODES } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import { noteOnStandardError } from '../follow.ts';
import { table } from '../format.ts';
import { connect, type Place, placeOf } from '../place.ts';
import { ask, print, printJson, type QueryOptions } from '../query.ts';
import { Load, type Measured } from './load.ts';

const MS_A_SECOND = 1_000;
const MICROSECONDS_A_MS = 1_000;
/** Before it is measured, the load runs for this share of the time. */
const WARM_UP_SHARE = 0.2;
/** From this share of a processor on, this program may be slower than the server. */
const BUSY_SHARE = 0.9;
const PREFIX = 'holdfast-bench/';

/** What a command line of `bench` says. */
export interface BenchOptions extends QueryOptions {
  readonly connections: number;
  /** How long the load is measured, in milliseconds. */
  readonly seconds: number;
  /** How many locks each connection asks for at the same time. */
  readonly depth: number;
  readonly names: number;
  /** All ask for the same name. */
  readonly one?: true;
  /** Although others hold locks there. */
  readonly yes?: true;
}

/** What a run has found. */
interface Result {
  readonly measured: Measured;
  readonly elapsedMs: number;
  /** How much of a processor this program used. */
  readonly processorShare: number;
}

/** Measures and prints. Rejects with a `Failure` when others hold locks on the server, or as the client does. */
export async function bench(options: BenchOptions): Promise<number> {
  if (options.yes !== true) await requireUnused(options);
  const result = await run(options);
  if (options.json === true) printJson([toJson(result, options)]);
  else printResult(result, options);
  return HOLDFAST_CODES.ok;
}

/** The load takes from others what the server can do. */
async function requireUnused(options: BenchOptions): Promise<void> {
  await ask(options, async (client) => {
    const { holders, waiting } = await client.stats();
    if (holders + waiting === 0) return undefined;
    const text = `the server is in use: ${holders} held, ${waiting} waiting; with --yes they share it with the load`;
    throw new Failure(HOLDFAST_CODES.usage, text);
  });
}

async function run(options: BenchOptions): Promise<Result> {
  const { connections, depth, names, one } = options;
  const clients: LockClient[] = [];
  try {
    const place = placeOf(options);
    while (clients.length < connections) clients.push(await connectOne(place));
    const prefix = `${PREFIX}${randomUUID()}/`;
    return await measure(new Load({ clients, depth, prefix, names: one === true ? 1 : names }), options);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

/** Without a session that outlives the connection: whatever happens to this program, nothing stays. */
async function connectOne(place: Place): Promise<LockClient> {
  return await connect(place, { name: 'holdfast bench', reconnect: false, session: false });
}

async function measure(load: Load, { seconds: measuredMs }: BenchOptions): Promise<Result> {
  const ending = new AbortController();
  const running = load.run(ending.signal);
  /** Rejects as soon as the load does. */
  const letRun = async (ms: number): Promise<unknown> =>
    await Promise.race([running, sleep(ms, undefined, { signal: ending.signal }).catch(() => {})]);
  try {
    await letRun(measuredMs * WARM_UP_SHARE);
    load.measure();
    const [beganMs, usedBefore] = [performance.now(), process.cpuUsage()];
    await letRun(measuredMs);
    const measured = load.measure();
    const elapsedMs = performance.now() - beganMs;
    const { user, system } = process.cpuUsage(usedBefore);
    ending.abort();
    await running;
    return { measured, elapsedMs, processorShare: (user + system) / MICROSECONDS_A_MS / elapsedMs };
  } finally {
    ending.abort();
  }
}

/** In milliseconds. */
interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

function percentilesOf(histogram: RecordableHistogram): Percentiles | undefined {
  if (histogram.count === 0) return undefined;
  const ms = (percent: number): number => histogram.percentile(percent) / MICROSECONDS_A_MS;
  return { p50: ms(50), p99: ms(99), p999: ms(99.9) };
}

function toJson({ measured, elapsedMs, processorShare }: Result, options: BenchOptions): object {
  const { connections, depth, names, one } = options;
  return {
    requestsPerSecond: Math.round((2 * measured.pairs * MS_A_SECOND) / elapsedMs),
    pairs: measured.pairs,
    elapsedMs: Math.round(elapsedMs),
    connections,
    depth,
    names: one === true ? 1 : names,
    lockMs: percentilesOf(measured.lock),
    handoffMs: percentilesOf(measured.handoff),
    processorShare: Number(processorShare.toFixed(2)),
  };
}

function printResult(result: Result, { connections, depth }: BenchOptions): void {
  const { measured, elapsedMs, processorShare } = result;
  const rate = Math.round((2 * measured.pairs * MS_A_SECOND) / elapsedMs).toLocaleString('en');
  const each = depth === 1 ? '' : `, ${depth} at a time each`;
  print(
    `${rate} requests/s: locks and unlocks of ${connections} ${connections === 1 ? 'connection' : 'connections'}${each}\n`,
  );
  const rows = [toRow('lock', measured.lock), toRow('handoff', measured.handoff)].filter((row) => row !== undefined);
  print(table(['', 'P50', 'P99', 'P99.9'], rows));
  if (processorShare < BUSY_SHARE) return;
  const percent = Math.round(processorShare * 100);
  noteOnStandardError(`this program used ${percent} % of a processor itself: the server may do more than it was asked`);
}

function toRow(name: string, histogram: RecordableHistogram): readonly string[] | undefined {
  const percentiles = percentilesOf(histogram);
  if (percentiles === undefined) return undefined;
  const { p50, p99, p999 } = percentiles;
  return [name, ...[p50, p99, p999].map((ms) => `${ms.toFixed(2)} ms`)];
}
