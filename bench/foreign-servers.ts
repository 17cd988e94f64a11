/** Starts the other servers to compare with, each on a free port of 127.0.0.1 and with a data folder of its own. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

/** Debian has each version in a folder of its own, and not in the PATH. */
const POSTGRES_VERSIONS = '/usr/lib/postgresql';
/** Enough for a pool of 100 and a few more; the default is 100 altogether. */
const POSTGRES_CONNECTIONS = 200;
/** It has no option for another port. */
const POOLCOUNTER_PORT = 7_531;
const LISTENING_RETRY_MS = 10;
const LISTENING_TRIES = 300;

/** A running server. `stop` resolves when it has ended and its folder is gone. */
interface ForeignServer {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Another user to run a program as. */
interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** How to start a program, and how it shows that it serves. */
interface ForeignProgram {
  readonly path: string;
  readonly arguments: readonly string[];
  readonly port: number;
  /** Its data; removed when the server has ended. */
  readonly folder: string;
  /** It prints this once it takes connections. */
  readonly ready: RegExp;
  readonly stopSignal?: NodeJS.Signals;
  readonly user?: SystemUser | undefined;
}

/** Finds a program of the system; undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** An empty folder that belongs to that user. */
function makeDataFolder(user?: SystemUser): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  return folder;
}

/** A port that was free a moment ago, for servers that cannot choose one themselves. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a server and waits until it is ready. Rejects with what it printed when it ends before that. */
async function startForeignServer(program: ForeignProgram): Promise<ForeignServer> {
  const { path, port, folder, stopSignal = 'SIGTERM', user = {} } = program;
  const child = spawn(path, program.arguments, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], ...user });
  const exited = once(child, 'exit');
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  // Leave nothing behind, however this process ends.
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
      // Keep reading: a server that prints to a full pipe stops.
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed = `${printed}${text}`.slice(-20_000);
        if (ready.test(printed)) resolve();
      });
    }
  });
}

/** Starts it and waits until it is ready; undefined where `redis-server` is not installed. */
export async function startRedis(...args: readonly string[]): Promise<ForeignServer | undefined> {
  const path = findProgram('redis-server');
  if (path === undefined) return undefined;
  const port = await freePort();
  const folder = makeDataFolder();
  const own = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', '--appendonly', 'no'];
  return await startForeignServer({
    path,
    arguments: [...own, ...args],
    port,
    folder,
    ready: /Ready to accept connections/,
  });
}

/** Starts it and waits until it is ready, for the user `postgres` without a password; undefined where it is not installed. */
export async function startPostgres(): Promise<ForeignServer | undefined> {
  const path = findPostgres();
  if (path === undefined) return undefined;
  const user = userToRunAs();
  const port = await freePort();
  const folder = makeDataFolder(user);
  // Only this step does not wait for the disk; the server does.
  const options = ['-D', folder, '-U', 'postgres', '--auth', 'trust', '--no-sync', '--no-instructions'];
  execFileSync(join(dirname(path), 'initdb'), options, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    ...user,
  });
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    `max_connections=${POSTGRES_CONNECTIONS}`,
  ];
  return await startForeignServer({
    path,
    arguments: ['-D', folder, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    port,
    folder,
    ready: /database system is ready to accept connections/,
    // Ends the sessions that are open.
    stopSignal: 'SIGINT',
    user,
  });
}

function findPostgres(): string | undefined {
  const versions = existsSync(POSTGRES_VERSIONS) ? readdirSync(POSTGRES_VERSIONS) : [];
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a));
  const paths = newestFirst.map((version) => join(POSTGRES_VERSIONS, version, 'bin', 'postgres'));
  return paths.find((path) => existsSync(path)) ?? findProgram('postgres');
}

/** Postgres refuses to run as root; its package brings a user. */
function userToRunAs(): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  if (entry === null) throw new Error('there is no user postgres; expected one, since Postgres does not run as root');
  return { uid: Number(entry[1]), gid: Number(entry[2]) };
}

/** Starts it and waits until it is ready; undefined where `etcd` is not installed. */
export async function startEtcd(): Promise<ForeignServer | undefined> {
  const path = findProgram('etcd');
  if (path === undefined) return undefined;
  const [port, peerPort] = [await freePort(), await freePort()];
  const folder = makeDataFolder();
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const options = {
    'data-dir': folder,
    name: 'bench',
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `bench=${peer}`,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return await startForeignServer({
    path,
    arguments: args,
    port,
    folder,
    ready: /ready to serve client requests|serving insecure client requests/,
  });
}

/** It listens at an address of its own, since its port is fixed. */
export interface PoolCounter extends ForeignServer {
  readonly host: string;
}

/** Starts it and waits until it listens; undefined where `poolcounterd` is not installed. */
export async function startPoolCounter(): Promise<PoolCounter | undefined> {
  const program = findProgram('poolcounterd');
  if (program === undefined) return undefined;
  const host = `127.53.${(process.pid >> 8) & 255}.${1 + (process.pid % 254)}`;
  const server = await startForeignServer({
    path: '/bin/sh',
    // It prints nothing itself.
    arguments: ['-c', 'echo starting && exec "$0" -l "$1"', program, host],
    port: POOLCOUNTER_PORT,
    folder: makeDataFolder(),
    ready: /starting/,
  });
  for (let tries = 0; !(await isListening(host)); tries += 1) {
    if (tries === LISTENING_TRIES) throw new Error('poolcounterd does not listen');
    await pause(LISTENING_RETRY_MS);
  }
  return { ...server, host };
}

function isListening(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: POOLCOUNTER_PORT });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
