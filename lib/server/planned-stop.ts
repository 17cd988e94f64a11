/** Saves what the sessions of a server have when it is stopped on purpose, and reads it when the next one starts. */

import type { Ledger } from '../ledger/ledger.ts';
import { LedgerError } from '../ledger/ledger-error.ts';
import type { SavedTable } from '../locks/types.ts';
import type { Logger } from '../message/logger.ts';
import { type JsonSchema, SchemaCompiler } from '../message/validation.ts';
import type { LostToken } from '../protocol.ts';

/** What a planned stop saves. */
export interface SavedLocks extends SavedTable {
  /** What is known of the sessions themselves. */
  readonly kept: readonly SavedKept[];
}

interface SavedKept {
  readonly id: string;
  /** S1: the greatest number that its client gave a resume. */
  readonly lastAttempt: number;
  /** How holds ended of which the client may not have heard. */
  readonly losses: readonly LostToken[];
}

const GRACE = 'nothing new is granted until the clients have told what they hold';

/** Does each once, however often the server is told to listen or to close. */
export class PlannedStop {
  readonly #ledger: Ledger;
  readonly #logger: Logger;
  #taking: Promise<void> | undefined;
  #saving: Promise<void> | undefined;

  constructor(ledger: Ledger, logger: Logger) {
    this.#ledger = ledger;
    this.#logger = logger;
  }

  /**
   * Calls back with what the run before has saved. That is deleted for good first, or it would bring back after a crash what has
   * ended since. If nothing was saved, or it is damaged, the sessions are awaited as after a crash. Rejects with a `LedgerError`.
   */
  takeOnce(load: (saved: SavedLocks) => void): Promise<void> {
    this.#taking ??= this.#take(load);
    return this.#taking;
  }

  /** Never rejects: if nothing can be saved, the next run awaits the sessions. */
  saveOnce(save: () => SavedLocks): Promise<void> {
    this.#saving ??= this.#save(save);
    return this.#saving;
  }

  async #take(load: (saved: SavedLocks) => void): Promise<void> {
    const saved = await this.#read();
    if (saved === undefined) return;
    const mistake = findMistake(saved, this.#ledger.tokens.begin);
    if (mistake !== undefined) {
      this.#logger.warn({}, `the locks of the planned stop cannot be read: ${mistake}; ${GRACE}`);
      return;
    }
    const { sessions, holds, waits } = saved as SavedLocks;
    load(saved as SavedLocks);
    const counts = { sessions: sessions.length, holds: holds.length, waits: waits.length };
    if (sessions.length > 0) this.#logger.info(counts, 'the locks of the planned stop are back');
  }

  async #read(): Promise<unknown> {
    try {
      return await this.#ledger.savedStop.take();
    } catch (error) {
      const message = `the locks of the planned stop cannot be read: ${(error as Error).message}`;
      if (!(error instanceof LedgerError)) throw new LedgerError('unusable', message, error);
      if (error.code !== 'unreadable') throw error;
      this.#logger.warn({}, `${message}; ${GRACE}`);
      return undefined;
    }
  }

  async #save(save: () => SavedLocks): Promise<void> {
    try {
      await this.#ledger.savedStop.save(save());
    } catch (error) {
      this.#logger.error(
        {},
        `the locks could not be saved: ${(error as Error).message}; after the next start ${GRACE}`,
      );
    }
  }
}

const INDEX: JsonSchema = { type: 'integer', minimum: 0 };
const MODE: JsonSchema = { enum: ['exclusive', 'shared', 'permit'] };
const ID: JsonSchema = { type: ['integer', 'string'] };
const TEXT: JsonSchema = { type: 'string' };
const TIME: JsonSchema = { type: 'number' };
/** A lock and its owner, or the locks of a request for several. */
const WANTED: Readonly<Record<string, JsonSchema>> = {
  name: TEXT,
  mode: MODE,
  limit: INDEX,
  tag: TEXT,
  leaseMs: TIME,
  isStealable: { type: 'boolean' },
  id: ID,
};

function object(properties: Readonly<Record<string, JsonSchema>>, ...required: string[]): JsonSchema {
  return { type: 'object', properties, required };
}

function list(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

const SAVED: JsonSchema = object(
  {
    sessions: list(object({ id: TEXT, address: TEXT, clientName: TEXT }, 'id', 'address', 'clientName')),
    holds: list(
      object({ ...WANTED, session: INDEX, token: INDEX, agoMs: TIME }, 'session', 'name', 'mode', 'tag', 'token'),
    ),
    waits: list(
      object(
        {
          session: INDEX,
          agoMs: TIME,
          request: {
            ...object(
              { ...WANTED, waitMs: TIME, locks: { ...list(object(WANTED, 'name', 'mode')), minItems: 1 } },
              'tag',
            ),
            anyOf: [{ required: ['name', 'mode'] }, { required: ['locks'] }],
          },
        },
        'session',
        'agoMs',
        'request',
      ),
    ),
    kept: list(
      object(
        { id: TEXT, lastAttempt: INDEX, losses: list(object({ token: INDEX, reason: TEXT }, 'token', 'reason')) },
        'id',
        'lastAttempt',
        'losses',
      ),
    ),
  },
  'sessions',
  'holds',
  'waits',
  'kept',
);

/** Another version may have saved it. A token that no earlier run can have given would make tokens fall. */
function findMistake(saved: unknown, begin: number): string | undefined {
  const validator = new SchemaCompiler().compile(SAVED, 'stop');
  if (!validator.isValid(saved)) return validator.problems()[0]?.message ?? 'it is not what this version saves';
  const wrong = (saved as SavedLocks).holds.find(({ token }) => token > begin);
  return wrong && `the token ${wrong.token} is above ${begin}, where the tokens of this run begin`;
}
