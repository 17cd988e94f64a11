/** The counters of the line protocol's `q`, with the keys that its users graph. */

import type { LockStatistics } from '../../protocol.ts';

/** Shown from the start, and shown from their first use on: as glockd does. */
const ALWAYS_SHOWN = ['d', 'dump', 'g', 'i', 'q', 'r', 'sd', 'sg', 'si', 'sr'];

/** How often one command was asked for. */
export interface CommandCounter {
  count: number;
}

/** Counts line commands; of messages only the locks are told here. */
export class LineStatistics {
  /** Commands that there are not. */
  readonly invalid: CommandCounter = { count: 0 };
  readonly #commands = new Map<string, CommandCounter>();
  readonly #countConnections: () => number;

  /** `countConnections` tells the connections there are, of every protocol. */
  constructor(countConnections: () => number) {
    this.#countConnections = countConnections;
  }

  /** The counter of a command: the same for all who ask. */
  counterOf(word: string): CommandCounter {
    const counter = this.#commands.get(word) ?? { count: 0 };
    this.#commands.set(word, counter);
    return counter;
  }

  /** A line `KEY: VALUE` each, keys sorted. */
  describe(locks: LockStatistics): string {
    const shown = [...this.#commands].filter(([word, { count }]) => count > 0 || ALWAYS_SHOWN.includes(word));
    const rows: [string, number][] = [
      ...shown.map(([word, { count }]): [string, number] => [`command_${word}`, count]),
      ['connections', this.#countConnections()],
      ['invalid_commands', this.invalid.count],
      ['locks', locks.locks],
      ['orphans', locks.orphans],
      ['shared_locks', locks.permits],
      ['shared_orphans', locks.permitOrphans],
    ];
    rows.sort(([a], [b]) => (a < b ? -1 : 1));
    return rows.map(([key, value]) => `${key}: ${value}\n`).join('');
  }
}
