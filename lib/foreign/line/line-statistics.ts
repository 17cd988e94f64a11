/** The counters of the line protocol's `q`. Users graph these keys, so they must not change. */

import type { LockStatistics } from '../../protocol.ts';

/** `q` always shows these commands, and others once they were used, as glockd does. */
const ALWAYS_SHOWN = ['d', 'dump', 'g', 'i', 'q', 'r', 'sd', 'sg', 'si', 'sr'];

/** Counts the uses of one command. */
export interface CommandCounter {
  count: number;
}

/** Counts line commands. Messages count here only through their locks and connections. */
export class LineStatistics {
  /** Counts unknown commands. */
  readonly invalid: CommandCounter = { count: 0 };
  readonly #commands = new Map<string, CommandCounter>();
  readonly #countConnections: () => number;

  /** `countConnections` counts the connections of all protocols. */
  constructor(countConnections: () => number) {
    this.#countConnections = countConnections;
  }

  /** Returns the counter of a command; all dialects share it. */
  counterOf(word: string): CommandCounter {
    const counter = this.#commands.get(word) ?? { count: 0 };
    this.#commands.set(word, counter);
    return counter;
  }

  /** One line `KEY: VALUE` for each counter, sorted by key. */
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
