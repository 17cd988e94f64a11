/** Servers of others, started for one comparison: at a free port of 127.0.0.1, with their data in a folder of their own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';

/** A server that runs. `stop` resolves when it has ended and its folder is gone. */
export interface ForeignServer {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Another user to run a program as. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** A program to be started, and how one sees that it serves. */
export interface ForeignProgram {
  readonly path: string;
  readonly arguments: readonly string[];
  readonly port: number;
  /** Holds its data; removed when the server has ended. */
  readonly folder: string;
  /** What it prints once it takes connections. */
  readonly ready: RegExp;
  readonly stopSignal?: NodeJS.Signals;
  readonly user?: SystemUser | undefined;
}

/** Where a program of the system is; undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** An empty folder that belongs to that user. */
export function makeDataFolder(user?: SystemUser): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  return folder;
}

/** A port that was free a moment ago, for servers that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a server and waits until it is ready. Rejects with what it printed when it ends before that. */
export async function startForeignServer(program: ForeignProgram): Promise<ForeignServer> {
  const { path, port, folder, stopSignal = 'SIGTERM', user = {} } = program;
  const child = spawn(path, program.arguments, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], ...user });
  const exited = once(child, 'exit');
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  // Whatever ends this process, nothing is left behind.
  const abandon = (): void => {
    child.kill(stopSignal);
    removeFolder();
  };
  const endProcess = (): void => process.exit(1);
  process.once('exit', abandon).once('SIGINT', endProcess).once('SIGTERM', endProcess);
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(stopSignal);
    await exited;
    process.off('exit', abandon).off('SIGINT', endProcess).off('SIGTERM', endProcess);
    removeFolder();
  };
  try {
    await whenReady(child, program.ready);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pid: child.pid as number, stop };
}

function whenReady(child: ChildProcess, ready: RegExp): Promise<void> {
  let printed = '';
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${child.spawnfile} ended before it was ready:\n${printed}`)));
    for (const stream of [child.stdout, child.stderr] as Readable[]) {
      // Read to the end: a server that prints to a full pipe stands still.
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed = `${printed}${text}`.slice(-20_000);
        if (ready.test(printed)) resolve();
      });
    }
  });
}
