/** A lock server in a process of its own, as the programs here measure it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('../../bin/server.js', import.meta.url));

/** A running server. */
export interface ServerProcess {
  readonly port: number;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** Starts `bin/server.js` on a free port and waits until it listens. */
export async function startServer(...args: readonly string[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, [SERVER, '--port', 'auto', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    const port = / listens on \S+:(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM');
      await exited;
    };
    return { port: Number(port), process: child, stop };
  }
  throw new Error('the server did not start');
}
