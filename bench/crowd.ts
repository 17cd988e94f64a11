/** A crowd of connections to one server, in a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { CrowdAnswer, CrowdOrder } from './crowd-process.ts';
import { askChild, CORES, pinToCore, withOpenFiles } from './processes.ts';

const PROGRAM = fileURLToPath(new URL('crowd-process.js', import.meta.url));

/** See bench/crowd-process.ts. Every call resolves when the server has answered all of it, and rejects when it refuses. */
export class Crowd {
  readonly #process: ChildProcess;

  /** A crowd that may have so many files open; with `low` priority it leaves its core to whoever else measures there. */
  static start(openFiles: number, priority: 'equal' | 'low' = 'equal'): Crowd {
    const [program = '', ...args] = withOpenFiles(openFiles, [process.execPath, PROGRAM]);
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    if (priority === 'low') setPriority(child.pid as number, constants.priority.PRIORITY_LOW);
    return new Crowd(child);
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

  /** Each connection takes so many exclusive locks of its own and so many that all share, by one write, all at once. */
  take(exclusive: number, shared: number): Promise<void> {
    return this.#order({ kind: 'take', exclusive, shared });
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
