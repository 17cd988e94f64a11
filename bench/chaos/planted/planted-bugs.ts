/**
 * Shows that the chaos run notices mistakes: plants each into a copy of the build, hurts that, and expects a violation. Ends with
 * code 1 when one is not noticed. Takes some minutes.
 *
 *     npm run build && node dist/bench/chaos/planted/planted-bugs.js [--bug='a token is given twice'] [--short]
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isShort, printTable, textGiven } from '../../program.ts';
import { PLANTED_BUGS, type PlantedBug } from './bugs.ts';
import { plant } from './plant.ts';

/** A mistake may need luck to show. */
const SEEDS = [1, 2, 3];
const ROUNDS = 3;
/** One that shows soon and always. */
const SHORT_BUG = 'readers share with a writer';
const MS_A_SECOND = 1_000;
const MAX_SHOWN_CHARACTERS = 60;

/** Resolves to the first violation of a run; undefined if there is none. */
async function firstViolation(
  folder: string,
  { only, shows, rounds = ROUNDS }: PlantedBug,
  seed: number,
): Promise<string | undefined> {
  const program = join(folder, 'dist/bench/chaos/chaos.js');
  const args = ['--runs=1', '--state=kept', `--rounds=${rounds}`, `--seed=${seed}`, `--only=${only.join(',')}`];
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
  for (const seed of SEEDS) violation ??= await firstViolation(folder, bug, seed);
  rmSync(folder, { recursive: true });
  if (violation === undefined) process.exitCode = 1;
  const seconds = ((performance.now() - startMs) / MS_A_SECOND).toFixed(0);
  console.log(`${bug.name}: ${violation ?? 'NOT NOTICED'}`);
  return [bug.name, bug.rule, (violation ?? 'NOT NOTICED').slice(0, MAX_SHOWN_CHARACTERS), seconds];
}

const wanted = textGiven('bug') ?? (isShort ? SHORT_BUG : undefined);
const bugs = PLANTED_BUGS.filter(({ name }) => wanted === undefined || name === wanted);
if (bugs.length === 0) throw new Error(`no planted bug is called ${wanted}`);
const rows: string[][] = [];
for (const bug of bugs) rows.push(await tryBug(bug));
console.log();
printTable(['planted', 'against', 'noticed as', 'seconds'], rows);
