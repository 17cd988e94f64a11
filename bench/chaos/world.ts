/** The processes of a chaos run: the server, its proxies and the clients, each of which can be killed and started again. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Route } from './faults.ts';
import type { ClientArguments, ClientEvent, ProxyAction, ProxyArguments } from './messages.ts';

const SERVER = fileURLToPath(new URL('../../../bin/server.js', import.meta.url));
const SETTINGS = new URL('../../../config/settings.json', import.meta.url);
const PROXY = fileURLToPath(new URL('proxy-process.js', import.meta.url));
const CLIENT = fileURLToPath(new URL('client-process.js', import.meta.url));
/** The server takes no shorter ones. */
const LEAST_SESSION_MS = 1_000;

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

function watched(child: ChildProcess): ChildProcess {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** The lock server, at the same ports after each start. */
export class ChaosServer {
  readonly port: number;
  readonly proxiedPort: number;
  /** Whether the process that runs, or ran last, has a state directory. */
  isDurable = false;
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'));
  #child: ChildProcess | undefined;
  #log = '';

  constructor(port: number, proxiedPort: number) {
    this.port = port;
    this.proxiedPort = proxiedPort;
    const defaults = JSON.parse(readFileSync(SETTINGS, 'utf8')) as { readonly limits: object };
    const listeners = [{ enabled: true, transport: 'tcp', host: '127.0.0.1', port: proxiedPort, proxied: true }];
    const limits = { ...defaults.limits, minSessionTimeoutMs: LEAST_SESSION_MS };
    writeFileSync(join(this.#folder, 'settings.json'), JSON.stringify({ ...defaults, port, listeners, limits }));
  }

  /** Resolves once it listens. */
  async start(isDurable: boolean): Promise<void> {
    this.isDurable = isDurable;
    const args = [SERVER, '--config', join(this.#folder, 'settings.json')];
    if (isDurable) args.push('--state', join(this.#folder, 'state'));
    const child = watched(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    this.#child = child;
    (child.stderr as Readable).setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-10_000);
    });
    const failed = once(child, 'exit').then(() => {
      throw new Error(`the server did not start: ${this.#log}`);
    });
    await Promise.race([once(child.stdout as Readable, 'data'), failed]);
    failed.catch(() => {});
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  get log(): string {
    return this.#log;
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await kill(this.#child);
  }

  /** Also removes what it has kept. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }
}

/** The proxy of one route, at the same ports after each start. */
export class ChaosProxy {
  readonly route: Route;
  readonly #arguments: ProxyArguments;
  #child: ChildProcess | undefined;

  constructor(route: Route, proxyArguments: ProxyArguments) {
    this.route = route;
    this.#arguments = proxyArguments;
  }

  async start(): Promise<void> {
    this.#child = watched(fork(PROXY, [JSON.stringify(this.#arguments)]));
    await once(this.#child, 'message');
  }

  act(port: number, action: ProxyAction): void {
    if (this.#child?.connected === true) this.#child.send({ port, action });
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await kill(this.#child);
  }
}

/** A client process. */
export class ChaosClient {
  readonly #child: ChildProcess;

  constructor(clientArguments: ClientArguments, take: (event: ClientEvent) => void) {
    this.#child = watched(fork(CLIENT, [JSON.stringify(clientArguments)]));
    this.#child.on('message', (events: readonly ClientEvent[]) => events.forEach(take));
  }

  stop(): void {
    this.#child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  block(ms: number): void {
    this.#child.send({ order: 'block', ms });
  }

  async kill(): Promise<void> {
    await kill(this.#child);
  }

  /** Lets it end all that it does. Resolves to whether it ended by itself within some time. */
  async finish(timeoutMs: number): Promise<boolean> {
    const exited = once(this.#child, 'exit', { signal: AbortSignal.timeout(timeoutMs) });
    this.#child.send({ order: 'finish' });
    try {
      const [code] = (await exited) as [number | null];
      return code === 0;
    } catch {
      this.#child.kill('SIGKILL');
      return false;
    }
  }
}
