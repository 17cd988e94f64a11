/** A server program as a process, with all the addresses that it says it listens on. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whenTestEnds } from '../server/clean-up.ts';
import { RunningProgram } from '../server/running-program.ts';

/** A server that is ready. */
export interface ListeningProgram {
  readonly program: RunningProgram;
  /** The line that it printed when it was ready. */
  readonly startLine: string;
  readonly addresses: readonly string[];
  /** The ports of those addresses that have one, in their order. */
  readonly ports: readonly number[];
}

/** Starts a program; it is killed when the test ends. */
export function runProgram(script: 'bin/server.js' | 'bin/glockd.js', ...args: readonly string[]): RunningProgram {
  const program = new RunningProgram(script, args);
  whenTestEnds(() => program.kill());
  return program;
}

/** Starts a server and waits until it listens. */
export async function startListening(
  script: 'bin/server.js' | 'bin/glockd.js',
  ...args: readonly string[]
): Promise<ListeningProgram> {
  const program = runProgram(script, ...args);
  const startLine = await program.nextLine();
  const list = / on (.*?), (?:allowed: |for this machine only )/.exec(startLine)?.[1];
  if (list === undefined) throw new Error(`the server said ${startLine}`);
  const addresses = list.split(', ');
  const ports = addresses.map((address) => Number(/:(\d+)$/.exec(address)?.[1])).filter((port) => port > 0);
  return { program, startLine, addresses, ports };
}

/** Starts `bin/server.js` on a port that the system chooses, for clients that need no more. */
export async function startOnPort(...args: readonly string[]): Promise<number> {
  const { ports } = await startListening('bin/server.js', '--port', 'auto', ...args);
  return ports[0] as number;
}

/** A new folder, removed when the test ends. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  whenTestEnds(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}
