/** The servers that are compared, each in a process of its own, on a core of its own where there are two. */

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from './foreign-server.ts';
import type { LoadProtocol, LoadTarget, Place } from './load-job.ts';
import { startPoolCounter } from './poolcounter-process.ts';
import { CORES, pinToCore } from './processes.ts';
import { startRedis } from './redis-process.ts';
import { startServerWith } from './server-process.ts';

const HOST = '127.0.0.1';
const FLOOR = fileURLToPath(new URL('floor-server.js', import.meta.url));

/** A server that runs, and how to ask it. */
export interface MeasuredServer {
  readonly name: string;
  readonly target: LoadTarget;
  stop(): Promise<void>;
}

/** The lock server over TCP. */
export async function startHoldfast(name: string, protocol: LoadProtocol): Promise<MeasuredServer> {
  const server = await startServerWith({});
  return pinned(name, { place: { host: HOST, port: server.port }, protocol, pid: server.pid }, server.stop);
}

/** The lock server over TLS; undefined where there is no `openssl` to make a certificate with. */
export async function startHoldfastTls(name: string): Promise<MeasuredServer | undefined> {
  if (findProgram('openssl') === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2'];
  const request = ['req', '-x509', ...kind, '-subj', '/CN=localhost', '-keyout', key, '-out', cert];
  execFileSync('openssl', request, { stdio: 'pipe' });
  const server = await startServerWith({ args: ['--tls-cert', cert, '--tls-key', key] });
  rmSync(folder, { recursive: true });
  const place = { host: HOST, port: server.port };
  return pinned(name, { place, protocol: 'ndjson', isTls: true, pid: server.pid }, server.stop);
}

/** The lock server on a Unix socket. */
export async function startHoldfastUnix(name: string): Promise<MeasuredServer> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const path = join(folder, 'socket');
  const server = await startServerWith({ args: ['--unix', path] });
  return pinned(name, { place: { path }, protocol: 'ndjson', pid: server.pid }, async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
}

/** The bare server of bench/floor-server.ts. */
export async function startFloor(name: string): Promise<MeasuredServer> {
  const child = fork(FLOOR);
  const port = await portOf(child);
  const stop = async (): Promise<void> => {
    child.disconnect();
    await once(child, 'exit');
  };
  return pinned(name, { place: { host: HOST, port }, protocol: 'floor', pid: child.pid as number }, stop);
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

async function portOf(child: ChildProcess): Promise<number> {
  const [port] = (await once(child, 'message')) as [number];
  return port;
}
