/**
 * Hurts servers, their clients and the connections between them in many ways, and checks that no lock had two holders, that no token
 * fell, that nobody was forgotten or passed, that nothing is left behind and that nobody lost a lock by a fault that costs none. Ends
 * with code 1 on a violation. It runs one server after the other, every third without a state directory; the line of each tells how to
 * repeat its plan of faults, though not the timing of the processes. With `--cluster` it hurts three servers on an etcd of three members.
 *
 *     npm run build && node dist/bench/chaos/chaos.js [--short | --minutes=60] [--seed=7]
 *     node dist/bench/chaos/chaos.js --seed=7 --runs=1 [--rounds=3] [--state=kept|none] [--only='server killed,client killed']
 *     node dist/bench/chaos/chaos.js --cluster [--lease=2] [--short | --minutes=60] [--seed=7] [--runs=1] [--rounds=3] [--only=...]
 */

import { isShort, numberGiven, printTable, textGiven } from '../program.ts';
import { hasEtcd } from './cluster/chaos-etcd.ts';
import { ClusterRun } from './cluster/cluster-run.ts';
import { CLIENT_FAULTS, CLUSTER_FAULTS, SERVER_FAULTS } from './faults.ts';
import { canMakeHosts } from './hosts.ts';
import { nowMs } from './messages.ts';
import { ChaosRun, type RunResult } from './run.ts';

const MS_A_MINUTE = 60_000;
const MS_A_SECOND = 1_000;
/** In each run, every kind of fault comes so often. */
const ROUNDS = 3;
/** Short enough for continuous integration; always the same plan. */
const SHORT = {
  seed: 1,
  only: ['server killed', 'client killed', 'connection reset', 'connection cut', 'host cut off'],
};
const SHORT_CLUSTER = {
  seed: 1,
  only: ['leader killed', 'leader told to step down', 'leader cut off from etcd', 'standby killed', 'client killed'],
};
const WITHOUT_STATE_EVERY = 3;
/** The shortest that a server takes, for many fail-overs. */
const LEASE_SECONDS = 2;

const isCluster = process.argv.includes('--cluster');
const short = isCluster ? SHORT_CLUSTER : SHORT;
const leaseSeconds = numberGiven('lease') ?? LEASE_SECONDS;
const seed = numberGiven('seed') ?? (isShort ? short.seed : Math.floor(Math.random() * 2 ** 31));
const minutes = numberGiven('minutes') ?? 2;
const runs = numberGiven('runs') ?? (isShort ? 1 : Number.POSITIVE_INFINITY);
const rounds = numberGiven('rounds') ?? (isShort ? (isCluster ? 1 : 2) : ROUNDS);
const state = textGiven('state');
const only = textGiven('only')?.split(',') ?? (isShort ? short.only : undefined);
const known = { ...CLIENT_FAULTS, ...(isCluster ? CLUSTER_FAULTS : SERVER_FAULTS) };
const unknown = only?.find((kind) => !(kind in known));
if (unknown !== undefined) throw new Error(`--only has ${JSON.stringify(unknown)}, which is no kind of fault`);
const startMs = nowMs();
const hasHosts = !isCluster && canMakeHosts();
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
  const way = isCluster ? `--cluster --lease=${leaseSeconds}` : `--state=${isDurable ? 'kept' : 'none'}`;
  const repeat = `--seed=${runSeed} --runs=1 --rounds=${rounds} ${way}`;
  const tell = (violation: string): void => console.log(`VIOLATION (${repeat}) ${violation}`);
  const options = { seed: runSeed, rounds, only: only === undefined ? undefined : new Set(only), tell };
  const run = isCluster
    ? new ClusterRun({ ...options, leaseSeconds })
    : new ChaosRun({ ...options, isDurable, hasHosts });
  const result: RunResult = await run.run();
  for (const { kind } of result.faults) add(faults, kind, 1);
  for (const [what, count] of result.counts) add(counts, what, count);
  violations += result.violations.length;
  console.log(`${seconds()} s: ${repeat}: ${sum(faults)} faults, ${violations} violations so far`);
}

if (isCluster && !hasEtcd()) {
  console.log('skipped: a cluster needs the programs etcd and etcdctl');
  process.exit();
}
if (!isCluster && !hasHosts)
  console.log('without hosts and disks that can be cut off: only root on Linux can make them');
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
