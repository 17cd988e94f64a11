/** What becomes of sessions, on its way to where it is recorded: many changes at once. */

import type { EarlierSession, LedgerReport, LossRecord, SessionList, SessionRecord } from './ledger.ts';
import { Trouble } from './trouble.ts';

const RETRY_MS = 1_000;

/** What a store is told of a session. */
export type SessionChange =
  | { readonly kind: 'add'; readonly id: string; readonly session: SessionRecord }
  | { readonly kind: 'end'; readonly id: string }
  | { readonly kind: 'lose'; readonly id: string; readonly loss: LossRecord };

/** Where sessions are recorded. */
export interface SessionStore {
  readonly place: 'the state directory' | 'etcd';
  /** The sessions that had not ended when the server started. */
  readonly atStart: readonly EarlierSession[];
  readonly extraWaitMs?: number;
  /** Whether a failed write may have added sessions nevertheless, so that their ends must be recorded. */
  readonly isUncertain: boolean;
  /** How many changes at the head of the queue fit into one write, at least one. */
  fit(queue: readonly Pick<Entry, 'change'>[]): number;
  /** Resolves once all of them are recorded, in their order. Rejects if that is not known; they may be written again. */
  write(changes: readonly SessionChange[]): Promise<void>;
}

/** What waits to be recorded, and who waits for that. */
interface Entry {
  readonly change: SessionChange;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class SessionQueue implements SessionList {
  readonly atStart: readonly EarlierSession[];
  readonly extraWaitMs: number;
  readonly #store: SessionStore;
  readonly #trouble: Trouble;
  /** The ids in the store, with what is about to be written. */
  readonly #known: Set<string>;
  /** In the order in which they came, since a session may end before its beginning is recorded. */
  #queue: Entry[] = [];
  #state: 'idle' | 'writing' | 'retrying' | 'closed' = 'idle';
  #writing: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;

  constructor(store: SessionStore, report: LedgerReport) {
    this.atStart = store.atStart;
    this.extraWaitMs = store.extraWaitMs ?? 0;
    this.#store = store;
    this.#known = new Set(store.atStart.map(({ id }) => id));
    const consequence = 'sessions that hold nothing yet are refused, and locks of ended ones stay taken';
    this.#trouble = new Trouble(report, store.place, consequence);
  }

  get count(): number {
    return this.#known.size;
  }

  /** L2: the promise resolves when the record is synced; if that fails it rejects, and the grant is refused. */
  add(session: SessionRecord): Promise<void> {
    this.#known.add(session.id);
    return this.#record({ kind: 'add', id: session.id, session });
  }

  /** L3: the promise resolves when the end is synced. */
  end(id: string): Promise<void> | undefined {
    return this.#known.delete(id) ? this.#record({ kind: 'end', id }) : undefined;
  }

  /** L3: the promise resolves when the loss is synced. */
  lose(id: string, loss: LossRecord): Promise<void> | undefined {
    return this.#known.has(id) ? this.#record({ kind: 'lose', id, loss }) : undefined;
  }

  /** Waits for the write under way. What was not written is left out. */
  async close(): Promise<void> {
    await this.#writing;
    clearTimeout(this.#retry);
    this.#state = 'closed';
  }

  #record(change: SessionChange): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, resolve, reject });
      this.#writeSoon();
    });
  }

  #writeSoon(): void {
    if (this.#state !== 'idle' && this.#state !== 'retrying') return;
    clearTimeout(this.#retry);
    this.#state = 'writing';
    this.#writing = this.#writeAll();
  }

  /** Group commit: whatever came while one batch was synced is the next one. */
  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const entries = this.#queue.splice(0, this.#store.fit(this.#queue));
      try {
        await this.#store.write(entries.map(({ change }) => change));
      } catch (error) {
        this.#failed(error as Error, [...entries, ...this.#queue], entries.length);
        return;
      }
      this.#trouble.over();
      for (const { resolve } of entries) resolve();
    }
    this.#state = 'idle';
  }

  /** Refuses the sessions at once. Ends and losses are tried again. */
  #failed(error: Error, entries: readonly Entry[], triedCount: number): void {
    this.#trouble.failed(error);
    this.#state = 'retrying';
    this.#retry = setTimeout(() => this.#writeSoon(), RETRY_MS).unref();
    this.#queue = entries.flatMap((entry, index) => {
      if (entry.change.kind !== 'add') return [entry];
      this.#known.delete(entry.change.id);
      entry.reject(error);
      const end: Entry = { change: { kind: 'end', id: entry.change.id }, resolve: () => {}, reject: () => {} };
      return this.#store.isUncertain && index < triedCount ? [end] : [];
    });
  }
}
