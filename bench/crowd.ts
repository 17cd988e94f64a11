/** A crowd of connections to one server, in a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { askChild } from './child-answer.ts';
import type { CrowdAnswer, CrowdOrder } from './crowd-process.ts';
import { CORES, pinToCore } from './process-usage.ts';
import { withOpenFiles } from './server-process.ts';

const PROGRAM = fileURLToPath(new URL('crowd-process.js', import.meta.url));

/** See bench/crowd-process.ts. Every call resolves when the server has answered all of it, and rejects when it refuses. */
export class Crowd {
  readonly #process: ChildProcess;

  /** A crowd that may have so many files open. */
  static start(openFiles: number): Crowd {
    const [program = '', ...args] = withOpenFiles(openFiles, [process.execPath, PROGRAM]);
    return new Crowd(spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
  }

  constructor(child: ChildProcess) {
    this.#process = child;
    pinToCore(child.pid as number, CORES.generator);
  }

  /** Opens connections until there are so many. */
  connect(port: number, connections: number): Promise<void> {
    return this.#order({ kind: 'connect', port, connections });
  }

  /** Each connection takes and releases a lock once. */
  use(): Promise<void> {
    return this.#order({ kind: 'use' });
  }

  /** Takes locks until so many are held. */
  hold(locks: number): Promise<void> {
    return this.#order({ kind: 'hold', locks });
  }

  /** Closes all connections at once. Resolves when they are closed on this side. */
  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  async #order(order: CrowdOrder): Promise<void> {
    const { problem } = await askChild<CrowdAnswer>(this.#process, order);
    if (problem !== undefined) throw new Error(`the crowd, to ${order.kind}: ${problem}`);
  }
}
