/** Starts the servers to measure, each in a process of its own: the lock server, and the others to compare it with. */

import { type ChildProcess, execFileSync, fork, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LockClient } from 'holdfast';
import { findProgram, startPoolCounter, startRedis } from './foreign-servers.ts';
import type { LoadProtocol, LoadTarget, Place } from './load-generator.ts';
import { CORES, pinToCore, withOpenFiles } from './processes.ts';

const SERVER = fileURLToPath(new URL('../../bin/server.js', import.meta.url));
const HOST = '127.0.0.1';
const FLOOR = fileURLToPath(new URL('floor-server.js', import.meta.url));

/** A running server. */
export interface ServerProcess {
  readonly port: number;
  readonly process: ChildProcess;
  readonly pid: number;
  stop(): Promise<void>;
}

/** A running lock server. */
export interface LockServerProcess extends ServerProcess {
  /** Where it listens: its own port first, then the listeners of the settings. */
  readonly addresses: readonly string[];
  /** What it has logged so far. */
  log(): string;
}

/** How to start a server, beyond the defaults. */
interface ServerOptions {
  /** For the command line. */
  readonly args?: readonly string[];
  /** In place of `config/settings.json`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** How many open files to allow it; by default as many as this process. */
  readonly openFiles?: number;
  /** For Node itself. */
  readonly nodeArgs?: readonly string[];
  /** A module to load first, which can exchange messages with this process. */
  readonly preload?: string;
}

/** Starts `bin/server.js` on a free port and waits until it listens. If it ends by itself, this process ends with code 1. */
export async function startServer({
  args = [],
  settings,
  openFiles,
  nodeArgs = [],
  preload,
}: ServerOptions = {}): Promise<LockServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const config = join(folder, 'settings.json');
  if (settings !== undefined) writeFileSync(config, JSON.stringify(settings));
  const configArgs = settings === undefined ? [] : ['--config', config];
  const node = [process.execPath, ...nodeArgs, ...(preload === undefined ? [] : ['--import', preload])];
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
    const addresses = / listens on (.*), allowed: /.exec(line)?.[1]?.split(', ') ?? [];
    const port = /:(\d+)$/.exec(addresses[0] ?? '')?.[1];
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
    const shared = { process: child, pid: child.pid as number, log: () => log, stop };
    return { port: Number(port), addresses, ...shared };
  }
  throw new Error('the server did not start');
}

/** A running server, and how to ask it. */
export interface MeasuredServer {
  readonly name: string;
  readonly target: LoadTarget;
  stop(): Promise<void>;
}

/** The lock server over TCP. */
export async function startHoldfast(name: string, protocol: LoadProtocol): Promise<MeasuredServer> {
  const server = await startServer();
  return pinned(name, { place: { host: HOST, port: server.port }, protocol, pid: server.pid }, server.stop);
}

/** The lock server over TLS; undefined where there is no `openssl` to make a certificate with. */
export async function startHoldfastTls(name: string): Promise<MeasuredServer | undefined> {
  if (!canMakeCertificates()) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const { cert, key } = makeCertificate(folder);
  const server = await startServer({ args: ['--tls-cert', cert, '--tls-key', key] });
  rmSync(folder, { recursive: true });
  const place = { host: HOST, port: server.port };
  return pinned(name, { place, protocol: 'ndjson', isTls: true, pid: server.pid }, server.stop);
}

/** Whether `openssl` is installed. */
export function canMakeCertificates(): boolean {
  return findProgram('openssl') !== undefined;
}

/** Makes a certificate for `localhost` and its key in a folder; returns the files. */
export function makeCertificate(folder: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2'];
  const request = ['req', '-x509', ...kind, '-subj', '/CN=localhost', '-keyout', key, '-out', cert];
  execFileSync('openssl', request, { stdio: 'pipe' });
  return { cert, key };
}

/** The lock server on a Unix socket. */
export async function startHoldfastUnix(name: string): Promise<MeasuredServer> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const path = join(folder, 'socket');
  const server = await startServer({ args: ['--unix', path] });
  return pinned(name, { place: { path }, protocol: 'ndjson', pid: server.pid }, async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
}

/** The bare server of bench/floor-server.ts. */
export async function startFloor(kind: 'lines' | 'frames'): Promise<ServerProcess> {
  const child = fork(FLOOR, [kind]);
  const [port] = (await once(child, 'message')) as [number];
  const stop = async (): Promise<void> => {
    child.disconnect();
    await once(child, 'exit');
  };
  return { port, process: child, pid: child.pid as number, stop };
}

/** The same, to be measured by the load generator. */
export async function startMeasuredFloor(name: string): Promise<MeasuredServer> {
  const { port, pid, stop } = await startFloor('lines');
  return pinned(name, { place: { host: HOST, port }, protocol: 'floor', pid }, stop);
}

/** Redis over TCP, or on a Unix socket; undefined where it is not installed. */
export async function startMeasuredRedis(name: string, kind: 'tcp' | 'unix'): Promise<MeasuredServer | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const path = join(folder, 'socket');
  const server = await startRedis(...(kind === 'unix' ? ['--unixsocket', path] : []));
  const removeFolder = (): void => rmSync(folder, { recursive: true });
  if (server === undefined) {
    removeFolder();
    return undefined;
  }
  const place: Place = kind === 'unix' ? { path } : { host: HOST, port: server.port };
  return pinned(name, { place, protocol: 'resp', pid: server.pid }, async () => {
    await server.stop();
    removeFolder();
  });
}

/** PoolCounter; undefined where it is not installed. */
export async function startMeasuredPoolCounter(name: string): Promise<MeasuredServer | undefined> {
  const server = await startPoolCounter();
  if (server === undefined) return undefined;
  const place = { host: server.host, port: server.port };
  return pinned(name, { place, protocol: 'pool', pid: server.pid }, server.stop);
}

function pinned(name: string, target: LoadTarget, stop: () => Promise<void>): MeasuredServer {
  pinToCore(target.pid, CORES.server);
  return { name, target, stop };
}

/** A client whose connection was reset keeps its locks for the time-out of its session. */
const SETTLE_MS = 25_000;

/** Once all clients are gone, these counts must be zero, or one for the connection that asks. */
export async function findRemains(port: number): Promise<string[]> {
  const client = await LockClient.connect({ port });
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const { locks, permits, holders, waiting, sessions, openConnections } = await client.stats();
    const remains = Object.entries({
      locks,
      permits,
      holders,
      waiting,
      sessions: sessions - 1,
      openConnections: openConnections - 1,
    })
      .filter(([, count]) => count !== 0)
      .map(([name, count]) => `left on the server: ${name}: ${count}`);
    if (remains.length === 0 || performance.now() > endMs) {
      await client.close();
      return remains;
    }
    await pause(20);
  }
}
