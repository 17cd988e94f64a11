/** A server of a cluster in a process of its own, which is killed, told to hand over and started again at the same port. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { kill, watched } from './chaos/children.ts';

const SERVER = fileURLToPath(new URL('../../bin/server.js', import.meta.url));
const LOG_CHARACTERS = 10_000;

/** How a server is made. */
export interface ClusterServerOptions {
  readonly name: string;
  readonly port: number;
  readonly etcd: readonly string[];
  readonly leaseSeconds: number;
}

export class ClusterServer {
  readonly name: string;
  /** Where clients reach it. */
  readonly address: string;
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'holdfast-cluster-'));
  #child: ChildProcess | undefined;
  #log = '';

  constructor({ name, port, etcd, leaseSeconds }: ClusterServerOptions) {
    this.name = name;
    this.address = `127.0.0.1:${port}`;
    const cluster = { etcd, node: name, advertise: this.address, leaseSeconds };
    const settings = { port, host: '127.0.0.1', stateDirectory: join(this.#folder, 'state'), cluster };
    writeFileSync(join(this.#folder, 'settings.json'), JSON.stringify(settings));
  }

  /** Resolves once it listens and has tried to join. */
  async start(): Promise<void> {
    const args = [SERVER, '--config', join(this.#folder, 'settings.json')];
    const child = watched(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
    });
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`the server ${this.name} did not start: code ${code}, ${this.#log}`);
    });
    await Promise.race([once(child.stdout as Readable, 'data'), failed]);
    failed.catch(() => {});
  }

  /** The end of what it has logged. */
  get log(): string {
    return this.#log;
  }

  /** Tells it to hand over. */
  stepDown(): void {
    this.#child?.kill('SIGUSR2');
  }

  /** Stops it where it is, with its connections open. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await kill(this.#child);
  }

  /** Ends it as an operator does, and starts it again. */
  async restart(): Promise<void> {
    const child = this.#child as ChildProcess;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    await this.start();
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }
}
