/** A ledger that ends with the process: tokens begin at the wall clock, and no session is known to the next run. */

import { randomUUID } from 'node:crypto';
import type { Ledger, SavedStop, SessionList, TokenSupply } from './ledger.ts';
import { TokenBlock } from './token-block.ts';

/** Keeps no session for the next run. */
export const NO_SESSIONS: SessionList = {
  count: 0,
  atStart: [],
  add: () => undefined,
  end: () => undefined,
  lose: () => undefined,
};

export class MemoryLedger implements Ledger {
  readonly lineage: string = randomUUID();
  readonly isDurable = false;
  readonly tokens: TokenSupply;
  readonly sessions: SessionList = NO_SESSIONS;
  readonly savedStop: SavedStop = {
    save: () => Promise.reject(new Error('a planned stop can only be saved in a state directory')),
    take: () => Promise.resolve(undefined),
  };

  /** The first token is the one after `begin`: see `tokenAt`. */
  constructor(begin: number) {
    const all = Number.MAX_SAFE_INTEGER;
    this.tokens = new TokenBlock({ begin, reserved: all, size: 0, reserve: () => Promise.resolve() });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
