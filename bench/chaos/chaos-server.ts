/** The lock server of a chaos run, which is killed, stopped and started again at the same ports. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { kill, watched } from './children.ts';
import { ChaosDisk, type ChaosHost } from './hosts.ts';

const SERVER = fileURLToPath(new URL('../../../bin/server.js', import.meta.url));
const SETTINGS = new URL('../../../config/settings.json', import.meta.url);
/** The server takes no shorter ones. */
const LEAST_SESSION_MS = 1_000;
const MS_A_DAY = 86_400_000;
const LOCAL = '127.0.0.1';
const LOG_CHARACTERS = 10_000;

/** How a server is made. */
export interface ChaosServerOptions {
  readonly port: number;
  /** Where it listens for proxies that it knows of. */
  readonly proxiedPort: number;
  readonly isDurable: boolean;
  /** Hosts from which it is reached as well. */
  readonly hosts: readonly ChaosHost[];
  /** Whether its state directory is on a disk of its own. */
  readonly hasDisk: boolean;
}

export class ChaosServer {
  readonly isDurable: boolean;
  readonly port: number;
  readonly disk: ChaosDisk | undefined;
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'));
  #child: ChildProcess | undefined;
  #log = '';

  constructor({ port, proxiedPort, isDurable, hosts, hasDisk }: ChaosServerOptions) {
    this.port = port;
    this.isDurable = isDurable;
    process.on('exit', this.#discard);
    mkdirSync(join(this.#folder, 'disk'));
    this.disk = hasDisk ? new ChaosDisk(join(this.#folder, 'disk')) : undefined;
    const defaults = JSON.parse(readFileSync(SETTINGS, 'utf8')) as {
      readonly limits: object;
      readonly allowed: readonly string[];
    };
    const listener = { enabled: true, transport: 'tcp', host: LOCAL };
    const listeners = [
      { ...listener, port: proxiedPort, proxied: true },
      ...hosts.map(({ nearAddress }) => ({ ...listener, host: nearAddress, port })),
    ];
    const allowed = [...defaults.allowed, ...hosts.map(({ farAddress }) => farAddress)];
    const limits = { ...defaults.limits, minSessionTimeoutMs: LEAST_SESSION_MS };
    writeFileSync(this.#settings, JSON.stringify({ ...defaults, port, listeners, allowed, limits, forceUnlock: true }));
  }

  /** Resolves once it listens. With `clock: 'yesterday'` its clock is a day late. */
  async start(clock: 'today' | 'yesterday' = 'today'): Promise<void> {
    const child = this.#spawn(clock);
    this.#child = child;
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`the server did not start: code ${code}, ${this.#log}`);
    });
    await Promise.race([once(child.stdout as Readable, 'data'), failed]);
    failed.catch(() => {});
  }

  /** Starts one that is expected not to serve. Resolves to its exit code, or undefined if it serves. */
  async tryStart(): Promise<number | undefined> {
    const child = this.#spawn('today');
    const [first] = (await Promise.race([once(child, 'exit'), once(child.stdout as Readable, 'data')])) as [unknown];
    if (typeof first === 'number') return first;
    await kill(child);
    return undefined;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get log(): string {
    return this.#log;
  }

  stop(): void {
    this.#child?.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child?.kill('SIGCONT');
  }

  /** From now on its writes to files fail, until it is started again. A full disk still takes what fits into the last block of a file. */
  forbidWriting(): void {
    execFileSync('prlimit', ['--pid', String(this.pid), '--fsize=0']);
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await kill(this.#child);
  }

  /** Resolves to its exit code, once it has ended as it is told to; undefined if it does not in time, and was killed. */
  async terminate(timeoutMs: number): Promise<number | null | undefined> {
    const child = this.#child as ChildProcess;
    const exited = once(child, 'exit', { signal: AbortSignal.timeout(timeoutMs) });
    child.kill('SIGTERM');
    try {
      const [code] = (await exited) as [number | null];
      return code;
    } catch {
      await kill(child);
      return undefined;
    }
  }

  /** Also removes what it has kept. */
  async remove(): Promise<void> {
    await this.kill();
    process.off('exit', this.#discard);
    this.#discard();
  }

  readonly #discard = (): void => {
    this.disk?.remove();
    rmSync(this.#folder, { recursive: true });
  };

  get #settings(): string {
    return join(this.#folder, 'settings.json');
  }

  #spawn(clock: 'today' | 'yesterday'): ChildProcess {
    const late = `data:text/javascript,const now=Date.now;Date.now=()=>now()-${MS_A_DAY}`;
    const args = clock === 'yesterday' ? ['--import', late] : [];
    args.push(SERVER, '--config', this.#settings);
    if (this.isDurable) args.push('--state', join(this.#folder, 'disk', 'state'));
    const child = watched(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
    });
    return child;
  }
}
