/** The etcd of a chaos run: three members, which are killed, stopped and started again at the same ports. */

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { freePorts, kill, watched } from '../children.ts';

const MEMBERS = 3;
const LOCAL = '127.0.0.1';
const HEARTBEAT_MS = 100;
const ELECTION_MS = 1_000;
const CONTROL_TIMEOUT_MS = 3_000;
const MAX_LINES = 20;
const run = promisify(execFile);

/** Whether etcd and its tool are here. */
export function hasEtcd(): boolean {
  return ['etcd', 'etcdctl'].every((program) => spawnSync(program, ['--help']).status === 0);
}

/** One member of the etcd. */
export class ChaosMember {
  readonly clientPort: number;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  constructor(clientPort: number, args: readonly string[]) {
    this.clientPort = clientPort;
    this.#args = args;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves once it serves, for which it needs another member. */
  async start(): Promise<void> {
    const child = watched(spawn('etcd', this.#args, { stdio: ['ignore', 'ignore', 'pipe'] }));
    this.#child = child;
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        lines.push(line);
        lines.splice(0, lines.length - MAX_LINES);
        if (line.includes('ready to serve client requests')) resolve();
      });
      void once(child, 'exit').then(() => reject(new Error(`etcd ended: ${lines.join('\n')}`)));
    });
  }

  stop(): void {
    this.#child?.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await kill(this.#child);
  }
}

export class ChaosEtcd {
  readonly members: readonly ChaosMember[];
  readonly #folder: string;

  private constructor(folder: string, members: readonly ChaosMember[]) {
    this.#folder = folder;
    this.members = members;
    process.on('exit', this.#discard);
  }

  /** Resolves once all members serve. */
  static async start(): Promise<ChaosEtcd> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-chaos-etcd-'));
    const ports = await freePorts(2 * MEMBERS);
    const places = Array.from({ length: MEMBERS }, (_, index) => ({
      name: `member${index}`,
      clientPort: ports[index] as number,
      peerUrl: `http://${LOCAL}:${ports[MEMBERS + index]}`,
    }));
    const cluster = places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join();
    const members = places.map(({ name, clientPort, peerUrl }) => {
      const clientUrl = `http://${LOCAL}:${clientPort}`;
      return new ChaosMember(clientPort, [
        ...['--name', name, '--data-dir', join(folder, name), '--initial-cluster', cluster],
        ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
        ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
        ...['--heartbeat-interval', String(HEARTBEAT_MS), '--election-timeout', String(ELECTION_MS)],
        // Processes are killed, but no power is cut.
        '--unsafe-no-fsync',
      ]);
    });
    const etcd = new ChaosEtcd(folder, members);
    await Promise.all(members.map((member) => member.start()));
    return etcd;
  }

  /** Resolves to what etcdctl prints. Rejects when it fails, or takes too long. */
  async control(...args: readonly string[]): Promise<string> {
    const endpoints = this.members.map(({ clientPort }) => `${LOCAL}:${clientPort}`).join();
    const env = { ...process.env, ETCDCTL_API: '3' };
    const options = { env, encoding: 'utf8', timeout: CONTROL_TIMEOUT_MS } as const;
    return (await run('etcdctl', [`--endpoints=${endpoints}`, ...args], options)).stdout;
  }

  async remove(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    process.off('exit', this.#discard);
    this.#discard();
  }

  readonly #discard = (): void => {
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  };
}
