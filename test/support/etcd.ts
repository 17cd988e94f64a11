/** Real etcds for tests: one member or three, on free ports, with their data in a folder that is removed with them. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EtcdClient, type EtcdOptions } from '../../lib/ledger/etcd/etcd-client.ts';
import { freePort } from './free-port.ts';

/** How an etcd is started. */
export interface EtcdSettings {
  readonly memberCount?: 1 | 3;
  /** Speaks https with this certificate; with `caFile` it wants certificates of clients. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string };
  /** How large the database may become, in bytes. */
  readonly quotaBytes?: number;
}

interface Place {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
}

/** One process of an etcd. */
class EtcdMember {
  readonly endpoint: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  constructor({ clientUrl }: Place, args: readonly string[]) {
    this.endpoint = clientUrl;
    this.#args = args;
  }

  /** Resolves once it serves; false when another process has taken one of its ports. */
  async start(): Promise<boolean> {
    const child = spawn('etcd', this.#args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    process.once('exit', this.#killWithTests);
    const lines: string[] = [];
    return await new Promise((resolve, reject) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        lines.push(line);
        if (line.includes('ready to serve client requests')) resolve(true);
        if (line.includes('address already in use')) resolve(false);
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`etcd ended: ${lines.join('\n')}`)));
    });
  }

  /** Stands still when this returns, with its connections open. */
  pause(): void {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    // A thread that works on another processor goes on for a moment.
    while (!areStopped(pid));
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#process;
    process.off('exit', this.#killWithTests);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exit;
  }

  readonly #killWithTests = (): void => {
    this.#process?.kill('SIGKILL');
  };
}

/** Whether each thread of a process is stopped by a signal. */
function areStopped(pid: number): boolean {
  const states = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0];
  });
  return states.every((state) => state === 'T');
}

/** An etcd that runs. */
export class Etcd {
  readonly members: readonly EtcdMember[];
  readonly #folder: string;
  readonly #clients: EtcdClient[] = [];

  constructor(members: readonly EtcdMember[], folder: string) {
    this.members = members;
    this.#folder = folder;
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** A client of all members, closed with the etcd. */
  async client(options: Partial<EtcdOptions> = {}): Promise<EtcdClient> {
    const client = await EtcdClient.open({ endpoints: this.endpoints, timeoutMs: 5_000, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Copies the data of all members, which must not run. Returns a function that puts the copy in their place, while they do not run. */
  copy(): () => void {
    const copy = `${this.#folder}.copy`;
    cpSync(this.#folder, copy, { recursive: true });
    return () => {
      rmSync(this.#folder, { recursive: true });
      renameSync(copy, this.#folder);
    };
  }

  /** Runs etcdctl and returns what it prints. */
  control(...args: readonly string[]): string {
    const env = { ...process.env, ETCDCTL_API: '3' };
    const all = [`--endpoints=${this.endpoints[0]}`, ...args];
    return execFileSync('etcdctl', all, { env, encoding: 'utf8', stdio: 'pipe' });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Starts an etcd. Call `needs(this, 'etcd', 'etcdctl')` before, and `stop` in the end. */
export async function startEtcd(settings: EtcdSettings = {}): Promise<Etcd> {
  for (;;) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-etcd-'));
    const names = Array.from({ length: settings.memberCount ?? 1 }, (_, index) => `member${index}`);
    const places = await Promise.all(names.map((name) => findPlace(name, settings.tls !== undefined)));
    const members = places.map((place) => new EtcdMember(place, argumentsOf(place, places, folder, settings)));
    const etcd = new Etcd(members, folder);
    const started = await Promise.all(members.map((member) => member.start()));
    if (started.every(Boolean)) return etcd;
    await etcd.stop();
  }
}

async function findPlace(name: string, isSecure: boolean): Promise<Place> {
  const [clientPort, peerPort] = [await freePort(), await freePort()];
  const clientUrl = `${isSecure ? 'https' : 'http'}://127.0.0.1:${clientPort}`;
  return { name, clientUrl, peerUrl: `http://127.0.0.1:${peerPort}` };
}

function argumentsOf(
  { name, clientUrl, peerUrl }: Place,
  places: readonly Place[],
  folder: string,
  { tls, quotaBytes = 0 }: EtcdSettings,
): readonly string[] {
  const cluster = places.map((place) => `${place.name}=${place.peerUrl}`).join();
  return [
    ...['--name', name, '--data-dir', join(folder, name), '--initial-cluster', cluster],
    ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--heartbeat-interval', '50', '--election-timeout', '500', '--quota-backend-bytes', String(quotaBytes)],
    // No disk is waited for, since no test cuts the power.
    '--unsafe-no-fsync',
    ...(tls === undefined ? [] : ['--cert-file', tls.certFile, '--key-file', tls.keyFile]),
    ...(tls?.caFile === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', tls.caFile]),
  ];
}
