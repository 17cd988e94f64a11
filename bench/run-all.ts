/**
 * The whole comparison: one program after the other, in under five minutes on a quiet machine. Ends with code 1 when one
 * of them found something wrong.
 *
 *     npm run bench [-- --short] [-- --svg=docs/scale.svg]
 */

import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, release, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isShort, textGiven } from './program.ts';

/** The programs, with arguments that make them take less time than they do by themselves. */
const PROGRAMS: readonly (readonly [string, ...string[]])[] = [
  ['throughput', '--rounds=4', '--seconds=0.5'],
  ['latency', '--rounds=2', '--seconds=0.8'],
  ['curves', '--passes=1'],
  ['connections', '--times=20000'],
  ['lock-table'],
  ['client-comparison'],
  ['request-path'],
  ['partitions'],
  ['cluster-cost'],
];
/** Only in the short run: in full they take minutes. With arguments that they get beside `--short`. */
const SHORT_PROGRAMS: readonly (readonly [string, ...string[]])[] = [
  ['capacity'],
  ['fuzz'],
  ['hostile'],
  ['soak'],
  ['restarts'],
  ['fail-overs'],
  ['chaos/chaos'],
  ['chaos/chaos', '--cluster'],
  ['chaos/planted/planted-bugs'],
  ['vanished-hosts'],
  ['operators'],
];

function run([program, ...args]: readonly [string, ...string[]]): void {
  console.log(`\n=== ${[program, ...args].join(' ')}\n`);
  const file = fileURLToPath(new URL(`${program}.js`, import.meta.url));
  const svg = textGiven('svg');
  const given = [...args, ...(svg !== undefined && program === 'curves' ? [`--svg=${svg}`] : [])];
  const { status, signal } = spawnSync(process.execPath, [file, ...given], { stdio: 'inherit' });
  if (status === 0) return;
  console.error(`${program} failed: ${signal ?? `code ${status}`}`);
  process.exitCode = 1;
}

const startMs = performance.now();
console.log(
  `Node ${process.version}, ${type()} ${release()}, ${availableParallelism()} cores, ${cpus()[0]?.model ?? ''}`,
);
const short = [...PROGRAMS.map(([program]) => [program] as const), ...SHORT_PROGRAMS];
for (const [program, ...args] of isShort ? short : PROGRAMS) run([program, ...(isShort ? ['--short'] : []), ...args]);
console.log(`\n${((performance.now() - startMs) / 1_000).toFixed(0)} s in all`);
