/**
 * Shows that the chaos run notices mistakes: plants each into a copy of the build, hurts that, and expects a violation. Ends with
 * code 1 when one is not noticed. Takes some minutes. With `--cluster` only those that a cluster can make, which need etcd.
 *
 *     npm run build && node dist/bench/chaos/planted/planted-bugs.js [--bug='a token is given twice'] [--short] [--cluster] [--seed=1]
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isShort, numberGiven, printTable, textGiven } from '../../program.ts';
import { hasEtcd } from '../cluster/chaos-etcd.ts';
import { PLANTED_BUGS } from './bugs.ts';
import { plant } from './plant.ts';
import type { PlantedBug } from './planted-bug.ts';

/** A mistake may need luck to show. */
const SEED_COUNT = 3;
const ROUNDS = 3;
/** One that shows soon and always. */
const SHORT_BUG = 'readers share with a writer';
const MS_A_SECOND = 1_000;
const MAX_SHOWN_CHARACTERS = 60;

/** Resolves to the first violation of a run; undefined if there is none. */
async function firstViolation(
  folder: string,
  { only, shows, rounds = ROUNDS, leaseSeconds }: PlantedBug,
  seed: number,
): Promise<string | undefined> {
  const program = join(folder, 'dist/bench/chaos/chaos.js');
  const way = leaseSeconds === undefined ? ['--state=kept'] : ['--cluster', `--lease=${leaseSeconds}`];
  const args = ['--runs=1', ...way, `--rounds=${rounds}`, `--seed=${seed}`, `--only=${only.join(',')}`];
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let [violation, trouble]: [string | undefined, string] = [undefined, ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    trouble += text;
  });
  createInterface(child.stdout).on('line', (line) => {
    const text = /^VIOLATION \(.*?\) at [\d.]+: (.*)/.exec(line)?.[1];
    if (violation !== undefined || !shows.some((start) => text?.startsWith(start))) return;
    violation = text;
    child.kill('SIGTERM');
  });
  const [code] = (await exited) as [number | null];
  if (violation === undefined && trouble !== '') throw new Error(`the run ended with code ${code}: ${trouble}`);
  return violation;
}

/** Resolves to a row of the table. */
async function tryBug(bug: PlantedBug): Promise<string[]> {
  const startMs = performance.now();
  const folder = plant(bug);
  let violation: string | undefined;
  const firstSeed = numberGiven('seed') ?? 1;
  for (let seed = firstSeed; seed < firstSeed + SEED_COUNT; seed += 1)
    violation ??= await firstViolation(folder, bug, seed);
  rmSync(folder, { recursive: true });
  if (violation === undefined) process.exitCode = 1;
  const seconds = ((performance.now() - startMs) / MS_A_SECOND).toFixed(0);
  console.log(`${bug.name}: ${violation ?? 'NOT NOTICED'}`);
  return [bug.name, bug.rule, (violation ?? 'NOT NOTICED').slice(0, MAX_SHOWN_CHARACTERS), seconds];
}

const wanted = textGiven('bug') ?? (isShort ? SHORT_BUG : undefined);
const isCluster = process.argv.includes('--cluster');
const canCluster = hasEtcd();
if (!canCluster) console.log('without bugs of clusters: these need the programs etcd and etcdctl');
const bugs = PLANTED_BUGS.filter(({ name, leaseSeconds }) => {
  const isPossible = leaseSeconds === undefined ? !isCluster : canCluster;
  return isPossible && (wanted === undefined || name === wanted);
});
if (wanted !== undefined && !PLANTED_BUGS.some(({ name }) => name === wanted))
  throw new Error(`no planted bug is called ${wanted}`);
const rows: string[][] = [];
for (const bug of bugs) rows.push(await tryBug(bug));
console.log();
printTable(['planted', 'against', 'noticed as', 'seconds'], rows);
