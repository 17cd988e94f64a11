/**
 * Lets many flows in many processes take, await, abort and lose the same few locks in every mode, while it kills processes and
 * cuts connections, and checks that no two hold a lock at once. It checks that on files, without asking the server. Ends with
 * code 1 on any violation, and when anything is left behind.
 *
 *     npm run build && node dist/bench/soak.js [--short]
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isShort } from './program.ts';
import { findRemains, startServer } from './servers.ts';
import type { SoakReport } from './soak-process.ts';

const PROCESSES = 8;
const FLOWS_A_PROCESS = 25;
const DURATION_MS = isShort ? 6_000 : 60_000;
/** How often it kills a process and starts another one. */
const KILL_EVERY_MS = isShort ? 700 : 1_500;
const PROGRAM = fileURLToPath(new URL('./soak-process.js', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-'));
const server = await startServer();
const violations: string[] = [];
const totals = new Map<string, number>();
let kills = 0;

function startProcess(): ChildProcess {
  const child = fork(PROGRAM, [String(server.port), folder, String(FLOWS_A_PROCESS)]);
  child.on('message', (report: SoakReport) => {
    violations.push(...report.violations);
    for (const [name, count] of Object.entries(report.counts)) totals.set(name, (totals.get(name) ?? 0) + count);
  });
  return child;
}

/** Tells a process to finish; resolves when it is gone. */
async function finish(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.send('finish');
  const [code, signal] = (await exited) as [number | null, string | null];
  if (code !== 0) violations.push(`a process ended with ${code ?? signal}`);
}

const children = Array.from({ length: PROCESSES }, startProcess);
const endMs = performance.now() + DURATION_MS;
for (let victim = 0; performance.now() < endMs; victim = (victim + 1) % PROCESSES) {
  await pause(Math.min(KILL_EVERY_MS, Math.max(0, endMs - performance.now())));
  const child = children[victim] as ChildProcess;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  kills += 1;
  children[victim] = startProcess();
}
await Promise.all(children.map(finish));
violations.push(...(await findRemains(server.port)));
await server.stop();
rmSync(folder, { recursive: true });

const counts = [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${name} ${count}`);
console.log(
  `${PROCESSES * FLOWS_A_PROCESS} flows in ${PROCESSES} processes, ${DURATION_MS / 1_000} s, ${kills} killed: ${counts.join(', ')}`,
);
for (const violation of violations.slice(0, 20)) console.log(`VIOLATION: ${violation}`);
console.log(`${violations.length} violations`);
if (violations.length > 0) process.exitCode = 1;
