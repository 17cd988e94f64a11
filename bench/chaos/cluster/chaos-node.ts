/** One server of a cluster in a chaos run. Its log tells what it is. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { kill, watched } from '../children.ts';

const SERVER = fileURLToPath(new URL('../../../../bin/server.js', import.meta.url));
const CLOCK = new URL('shifted-clock.js', import.meta.url).href;
const SETTINGS = new URL('../../../../config/settings.json', import.meta.url);
/** Of all keys in etcd. */
export const CLUSTER_PREFIX = 'chaos/';
const LEAST_LEASES_A_SESSION = 3;
const MS_A_SECOND = 1_000;
const LOG_LINES = 40;

/** Who hears of a server. */
export interface NodeEvents {
  leads(epoch: number): void;
  /** Also when its process ends. */
  leadsNoMore(epoch: number): void;
  /** etcd does not confirm its lease. */
  left(): void;
}

/** How a server is made. */
export interface ChaosNodeOptions {
  readonly name: string;
  readonly port: number;
  /** Where clients reach it. */
  readonly advertisedPort: number;
  /** Where it reaches the members of etcd. */
  readonly etcdPorts: readonly number[];
  readonly leaseSeconds: number;
  /** By how much its wall clock is wrong. */
  readonly clockAheadMs: number;
  readonly told: NodeEvents;
}

export class ChaosNode {
  readonly name: string;
  readonly port: number;
  readonly advertisedPort: number;
  readonly etcdPorts: readonly number[];
  /** Of its last term, while it says that it leads. */
  epoch: number | undefined;
  /** It serves nobody until it is started again, since a member of etcd gave it an old answer: releases before 3.4.42 may do that. */
  isSetBack = false;
  readonly #options: ChaosNodeOptions;
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'));
  #child: ChildProcess | undefined;
  #log: string[] = [];

  constructor(options: ChaosNodeOptions) {
    const { name, port, advertisedPort, etcdPorts, leaseSeconds } = options;
    this.#options = options;
    this.name = name;
    this.port = port;
    this.advertisedPort = advertisedPort;
    this.etcdPorts = etcdPorts;
    process.on('exit', this.#discard);
    const defaults = JSON.parse(readFileSync(SETTINGS, 'utf8')) as {
      readonly limits: object;
      readonly cluster: object;
    };
    const minSessionTimeoutMs = LEAST_LEASES_A_SESSION * leaseSeconds * MS_A_SECOND;
    const limits = { ...defaults.limits, minSessionTimeoutMs };
    const cluster = {
      ...defaults.cluster,
      etcd: etcdPorts.map((etcdPort) => `http://127.0.0.1:${etcdPort}`),
      prefix: CLUSTER_PREFIX,
      node: name,
      advertise: `127.0.0.1:${advertisedPort}`,
      leaseSeconds,
    };
    writeFileSync(this.#settings, JSON.stringify({ ...defaults, port, listeners: [], limits, cluster }));
  }

  /** Resolves once it listens; it may not belong to the cluster yet. */
  async start(): Promise<void> {
    const env = { ...process.env, CHAOS_CLOCK_AHEAD_MS: String(this.#options.clockAheadMs) };
    const args = ['--import', CLOCK, SERVER, '--config', this.#settings];
    const child = watched(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env }));
    this.#child = child;
    this.isSetBack = false;
    createInterface({ input: child.stderr }).on('line', (line) => this.#read(child, line));
    child.once('exit', () => {
      if (child === this.#child) this.#leadsNoMore();
    });
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`the server ${this.name} did not start: code ${code}, ${this.log}`);
    });
    await Promise.race([once(child.stdout as Readable, 'data'), failed]);
    failed.catch(() => {});
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Its last lines. */
  get log(): string {
    return this.#log.join('\n');
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGUSR1' | 'SIGUSR2'): void {
    this.#child?.kill(signal);
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

  /** Also removes its settings. */
  async remove(): Promise<void> {
    await this.kill();
    process.off('exit', this.#discard);
    this.#discard();
  }

  readonly #discard = (): void => {
    rmSync(this.#folder, { recursive: true });
  };

  get #settings(): string {
    return join(this.#folder, 'settings.json');
  }

  #read(child: ChildProcess, line: string): void {
    this.#log.push(line);
    this.#log.splice(0, this.#log.length - LOG_LINES);
    // What a process said before it was killed may come late.
    if (child !== this.#child || !line.startsWith('{')) return;
    const { msg, epoch = 0 } = JSON.parse(line) as { readonly msg: string; readonly epoch?: number };
    if (msg === 'leads') {
      this.epoch = epoch;
      this.#options.told.leads(epoch);
    }
    if (msg === 'leads no more') this.#leadsNoMore();
    if (msg.startsWith('left the cluster')) this.#options.told.left();
    if (msg.includes('etcd has other data than before')) this.isSetBack = true;
  }

  #leadsNoMore(): void {
    const { epoch } = this;
    this.epoch = undefined;
    if (epoch !== undefined) this.#options.told.leadsNoMore(epoch);
  }
}
