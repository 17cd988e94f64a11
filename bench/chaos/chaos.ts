/**
 * Hurts servers, their clients and the connections between them in many ways, and checks that no lock had two holders, that no token
 * fell, that nobody was forgotten or passed, that nothing is left behind and that nobody lost a lock by a fault that costs none. Ends
 * with code 1 on a violation. It runs one server after the other, every third without a state directory; the line of each tells how to
 * repeat its plan of faults, though not the timing of the processes.
 *
 *     npm run build && node dist/bench/chaos/chaos.js [--short | --minutes=60] [--seed=7]
 *     node dist/bench/chaos/chaos.js --seed=7 --runs=1 [--rounds=3] [--state=kept|none] [--only='server killed,client killed']
 */

import { isShort, numberGiven, printTable, textGiven } from '../program.ts';
import { CLIENT_FAULTS, SERVER_FAULTS } from './faults.ts';
import { canMakeHosts } from './hosts.ts';
import { nowMs } from './messages.ts';
import { ChaosRun } from './run.ts';

const MS_A_MINUTE = 60_000;
const MS_A_SECOND = 1_000;
/** In each run, every kind of fault comes so often. */
const ROUNDS = 3;
/** Short enough for continuous integration; always the same plan. */
const SHORT = {
  seed: 1,
  only: ['server killed', 'client killed', 'connection reset', 'connection cut', 'host cut off'],
};
const WITHOUT_STATE_EVERY = 3;

const seed = numberGiven('seed') ?? (isShort ? SHORT.seed : Math.floor(Math.random() * 2 ** 31));
const minutes = numberGiven('minutes') ?? 2;
const runs = numberGiven('runs') ?? (isShort ? 1 : Number.POSITIVE_INFINITY);
const rounds = numberGiven('rounds') ?? (isShort ? 2 : ROUNDS);
const state = textGiven('state');
const only = textGiven('only')?.split(',') ?? (isShort ? SHORT.only : undefined);
const unknown = only?.find((kind) => !(kind in CLIENT_FAULTS || kind in SERVER_FAULTS));
if (unknown !== undefined) throw new Error(`--only has ${JSON.stringify(unknown)}, which is no kind of fault`);
const startMs = nowMs();
const hasHosts = canMakeHosts();
const faults = new Map<string, number>();
const counts = new Map<string, number>();
let violations = 0;

function add(sums: Map<string, number>, key: string, count: number): void {
  sums.set(key, (sums.get(key) ?? 0) + count);
}

function sum(sums: ReadonlyMap<string, number>): number {
  return [...sums.values()].reduce((total, count) => total + count, 0);
}

function seconds(): string {
  return ((nowMs() - startMs) / MS_A_SECOND).toFixed(0);
}

async function runOne(index: number): Promise<void> {
  const isDurable = state === undefined ? index % WITHOUT_STATE_EVERY !== WITHOUT_STATE_EVERY - 1 : state === 'kept';
  const runSeed = seed + index;
  const repeat = `--seed=${runSeed} --runs=1 --rounds=${rounds} --state=${isDurable ? 'kept' : 'none'}`;
  const tell = (violation: string): void => console.log(`VIOLATION (${repeat}) ${violation}`);
  const only_ = only === undefined ? undefined : new Set(only);
  const result = await new ChaosRun({ seed: runSeed, isDurable, rounds, hasHosts, only: only_, tell }).run();
  for (const { kind } of result.faults) add(faults, kind, 1);
  for (const [what, count] of result.counts) add(counts, what, count);
  violations += result.violations.length;
  console.log(`${seconds()} s: ${repeat}: ${sum(faults)} faults, ${violations} violations so far`);
}

if (!hasHosts) console.log('without hosts and disks that can be cut off: only root on Linux can make them');
console.log(`seed ${seed}`);
for (let index = 0; index < runs; index += 1) {
  await runOne(index);
  if (runs === Number.POSITIVE_INFINITY && nowMs() - startMs >= minutes * MS_A_MINUTE) break;
}
console.log(`\n${sum(faults)} faults of ${faults.size} classes in ${seconds()} s, ${violations} violations\n`);
const rows = (sums: ReadonlyMap<string, number>): string[][] => [...sums].sort().map(([key, n]) => [key, String(n)]);
printTable(['fault', 'injected'], rows(faults));
console.log();
printTable(['seen', 'times'], rows(counts));
process.exitCode = violations > 0 ? 1 : 0;
