/** All writes of one leader to etcd: one after the other, each exactly once, and none after another server leads. */

import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import type { Compare, KeyValue, Operation, TxnResult } from './etcd-values.ts';

const RETRY_MS = 1_000;

/** The key that says who leads. */
export interface LeaderKey {
  readonly key: string;
  /** The revision in which this server's key came to be. */
  readonly epoch: number;
}

export interface LeaderWritesOptions {
  readonly client: EtcdClient;
  readonly leader: LeaderKey;
  /** The key that each write changes. */
  readonly counterKey: string;
  /** Another server leads, or nobody; called once. */
  readonly onDeposed: () => void;
}

export class LeaderWrites {
  /** Resolves when this server no longer leads. */
  readonly deposed: Promise<void>;
  readonly #options: LeaderWritesOptions;
  /**
   * The revision of the counter that the next write expects. A write whose outcome is unknown may be carried out much later, for example
   * by a member that was stopped for a while; then it must find another revision, or it would undo what was written since.
   */
  #counterRevision: number;
  #count = 0;
  #state: 'leading' | 'deposed' | 'closed' = 'leading';
  #tellDeposed: () => void = () => {};
  #writing: Promise<unknown> = Promise.resolve();
  #reading: Promise<void> = Promise.resolve();
  #nextReading: Promise<void> | undefined;

  /** `counterRevision` is that of the counter, 0 if there is none. */
  constructor(options: LeaderWritesOptions, counterRevision: number) {
    this.#options = options;
    this.#counterRevision = counterRevision;
    this.deposed = new Promise((resolve) => {
      this.#tellDeposed = resolve;
    });
  }

  /**
   * Resolves once the operations are carried out; at most 99, none of them twice on one key. Rejects with an EtcdError when they were not,
   * or when nobody can say; then they may be written again. C4: never resolves when this server does not lead.
   */
  write(operations: readonly Operation[]): Promise<void> {
    const written = this.#writing.then(() => this.#write(operations));
    this.#writing = written.catch(() => {});
    return written;
  }

  /** C3: resolves once etcd has confirmed that this server led after the call. Tries again until then; never resolves if it does not lead. */
  confirm(): Promise<void> {
    // A read that was sent before the call proves nothing, so the call waits for the next one.
    this.#nextReading ??= this.#reading.then(() => {
      this.#nextReading = undefined;
      this.#reading = this.#confirm();
      return this.#reading;
    });
    return this.#nextReading;
  }

  /** Waits for the write under way. Nothing more is written or confirmed. */
  async close(): Promise<void> {
    await Promise.race([this.#writing, this.deposed]);
    if (this.#state === 'leading') this.#state = 'closed';
  }

  async #write(operations: readonly Operation[]): Promise<void> {
    const { counterKey } = this.#options;
    this.#count += 1;
    const value = `${this.#options.leader.epoch} ${this.#count}`;
    const success: readonly Operation[] = [{ kind: 'put', key: counterKey, value }, ...operations];
    while (!(await this.#isWritten(success, value)));
  }

  /** Whether it is written; false when an earlier write, of which nobody knew, came before it. */
  async #isWritten(success: readonly Operation[], value: string): Promise<boolean> {
    if (this.#state !== 'leading') return await never();
    const { client, leader, counterKey } = this.#options;
    const compare: readonly Compare[] = [
      // C4: every write compares the leader's key.
      { key: leader.key, createRevision: leader.epoch },
      { key: counterKey, modRevision: this.#counterRevision },
    ];
    const failure: readonly Operation[] = [
      { kind: 'range', key: leader.key },
      { kind: 'range', key: counterKey },
    ];
    try {
      const answer = await client.txn({ compare, success, failure });
      if (answer.succeeded) this.#counterRevision = answer.revision;
      else await this.#adopt(answer.results);
      return answer.succeeded;
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.isOutcomeUnknown) throw error;
      if (await this.#isFound(value).catch(() => false)) return true;
      throw error;
    }
  }

  /** Asks what became of a write that was not answered. If it was not carried out yet, it may still be. */
  async #isFound(value: string): Promise<boolean> {
    const { client, counterKey } = this.#options;
    const [counter] = (await client.range(counterKey)).entries;
    if (counter?.value !== value) return false;
    this.#counterRevision = counter.modRevision;
    return true;
  }

  /** A write was refused. Unless another server leads, an earlier one was carried out although nobody knew. */
  async #adopt([leader, counter]: readonly TxnResult[]): Promise<void> {
    await this.#requireLead(firstOf(leader));
    this.#counterRevision = firstOf(counter)?.modRevision ?? 0;
  }

  async #confirm(): Promise<void> {
    const { client, leader } = this.#options;
    for (;;) {
      if (this.#state !== 'leading') return await never();
      const found = await client.range(leader.key).catch(() => undefined);
      if (found !== undefined) return await this.#requireLead(found.entries[0]);
      await delay(RETRY_MS, undefined, { ref: false });
    }
  }

  /** Never resolves when the key is not this server's. */
  async #requireLead(entry: KeyValue | undefined): Promise<void> {
    const { leader, onDeposed } = this.#options;
    if (entry?.createRevision === leader.epoch) return;
    if (this.#state === 'leading') {
      this.#state = 'deposed';
      this.#tellDeposed();
      onDeposed();
    }
    await never();
  }
}

function firstOf(result: TxnResult | undefined): KeyValue | undefined {
  return result?.kind === 'range' ? result.entries[0] : undefined;
}

function never(): Promise<never> {
  return new Promise(() => {});
}
