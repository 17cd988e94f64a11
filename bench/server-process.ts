/** A lock server in a process of its own, as the programs here measure it. */

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { withOpenFiles } from './processes.ts';

const SERVER = fileURLToPath(new URL('../../bin/server.js', import.meta.url));

/** A running server. */
export interface ServerProcess {
  readonly port: number;
  readonly process: ChildProcess;
  readonly pid: number;
  stop(): Promise<void>;
}

/** How a server is started, beyond the defaults. */
export interface ServerOptions {
  /** For the command line. */
  readonly args?: readonly string[];
  /** In place of `config/settings.json`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The open files that it may have; those of this process otherwise. */
  readonly openFiles?: number;
  /** A module that it loads first, and that can exchange messages with this process. */
  readonly preload?: string;
}

/** Starts `bin/server.js` on a free port and waits until it listens. */
export function startServer(...args: readonly string[]): Promise<ServerProcess> {
  return startServerWith({ args });
}

/** Starts `bin/server.js` on a free port and waits until it listens. When it ends by itself, so does this process: code 1. */
export async function startServerWith({
  args = [],
  settings,
  openFiles,
  preload,
}: ServerOptions): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const config = join(folder, 'settings.json');
  if (settings !== undefined) writeFileSync(config, JSON.stringify(settings));
  const configArgs = settings === undefined ? [] : ['--config', config];
  const node = [process.execPath, ...(preload === undefined ? [] : ['--import', preload])];
  const command = [...node, SERVER, '--port', 'auto', ...configArgs, ...args];
  const [program = '', ...programArgs] = openFiles === undefined ? command : withOpenFiles(openFiles, command);
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', preload === undefined ? 'ignore' : 'ipc'];
  const child = spawn(program, programArgs, { stdio });
  const [stdout, stderr] = [child.stdout, child.stderr] as [Readable, Readable];
  let log = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const endOnFailure = (code: number | null, signal: NodeJS.Signals | null): never => {
    console.error(`${log}the server ended: ${signal ?? `code ${code}`}`);
    process.exit(1);
  };
  child.once('exit', endOnFailure);
  const exited = once(child, 'exit');
  const endWithThis = (): boolean => child.kill('SIGKILL');
  process.once('exit', endWithThis);
  for await (const line of createInterface({ input: stdout })) {
    const port = / listens on \S+:(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    const stop = async (): Promise<void> => {
      child.off('exit', endOnFailure);
      process.off('exit', endWithThis);
      child.kill('SIGTERM');
      const [code] = await exited;
      rmSync(folder, { recursive: true });
      if (code === 0) return;
      console.error(`${log}the server ended with code ${code}`);
      process.exitCode = 1;
    };
    return { port: Number(port), process: child, pid: child.pid as number, stop };
  }
  throw new Error('the server did not start');
}
