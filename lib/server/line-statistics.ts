/** The counters of the line protocol's `q`, with the keys that its users graph. */

import type { LockStatistics } from './lock-manager.ts';

/** Shown from the start, and shown from their first use on: as glockd does. */
const ALWAYS_SHOWN = ['d', 'dump', 'g', 'i', 'q', 'r', 'sd', 'sg', 'si', 'sr'];

/** Counts line commands; of messages only the locks are told here. */
export class LineStatistics {
  readonly #commands = new Map<string, number>(ALWAYS_SHOWN.map((word) => [word, 0]));
  readonly #countConnections: () => number;
  #invalidCommands = 0;

  /** `countConnections` tells the connections there are, of every protocol. */
  constructor(countConnections: () => number) {
    this.#countConnections = countConnections;
  }

  /** One command; undefined for one that there is not. */
  count(word: string | undefined): void {
    if (word === undefined) this.#invalidCommands += 1;
    else this.#commands.set(word, (this.#commands.get(word) ?? 0) + 1);
  }

  /** A line `KEY: VALUE` each, keys sorted. */
  describe(locks: LockStatistics): string {
    const rows: [string, number][] = [
      ...[...this.#commands].map(([word, count]): [string, number] => [`command_${word}`, count]),
      ['connections', this.#countConnections()],
      ['invalid_commands', this.#invalidCommands],
      ['locks', locks.locks],
      ['orphans', locks.orphans],
      ['shared_locks', locks.permits],
      ['shared_orphans', locks.permitOrphans],
    ];
    rows.sort(([a], [b]) => (a < b ? -1 : 1));
    return rows.map(([key, value]) => `${key}: ${value}\n`).join('');
  }
}
