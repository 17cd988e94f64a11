/** Follows the key of the leader. */

import type { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import { whenAborted } from '../message/abort-listeners.ts';
import { pause } from '../message/timeout.ts';
import { type Leader, toLeader } from './leader-record.ts';

const RETRY_MS = 250;

export interface LeaderWatchOptions {
  readonly client: EtcdClient;
  readonly key: string;
  /** The key is read so often even if no change is told, since a connection may be dead without a sign. */
  readonly readEachMs: number;
  /** When to stop. */
  readonly end: AbortSignal;
  /** Called whenever the leader is another, or there is none any more. */
  readonly changed: (leader: Leader | undefined) => void;
}

export class LeaderWatch {
  readonly #options: LeaderWatchOptions;
  /** Of the newest news. What is told of earlier revisions is old. */
  #revision = 0;
  leader: Leader | undefined;

  constructor(options: LeaderWatchOptions) {
    this.#options = options;
  }

  /** Rejects with an `EtcdError` when the key cannot be read. Afterwards it is read again as often as it takes. */
  async start(): Promise<void> {
    const revision = await this.read();
    void this.#follow(revision);
    void this.#readRegularly();
  }

  /** Reads the key; resolves to the revision of the answer. Rejects with an `EtcdError`. */
  async read(): Promise<number> {
    const { client, key } = this.#options;
    const { entries, revision } = await client.range(key);
    const [entry] = entries;
    this.#set(entry && toLeader(entry.value, entry.createRevision), revision);
    return revision;
  }

  async #readRegularly(): Promise<void> {
    const { readEachMs, end } = this.#options;
    for (;;) {
      await pause(readEachMs, end);
      if (end.aborted) return;
      await this.read().catch(() => {});
    }
  }

  async #follow(revision: number): Promise<void> {
    const { end } = this.#options;
    let from: number | undefined = revision + 1;
    while (!end.aborted) {
      try {
        from ??= (await this.read()) + 1;
        await this.#watch(from);
      } catch {
        await pause(RETRY_MS, end);
      }
      from = undefined;
    }
  }

  /** Rejects when the watch breaks. */
  #watch(fromRevision: number): Promise<void> {
    const { client, key, end } = this.#options;
    return new Promise((resolve, reject) => {
      const stop = client.watch(
        { key, fromRevision },
        {
          changed: (events) => {
            for (const { type, entry, revision } of events)
              this.#set(type === 'put' ? toLeader(entry.value, entry.createRevision) : undefined, revision);
          },
          failed: (error) => {
            stopWaiting();
            reject(error);
          },
        },
      );
      const stopWaiting = whenAborted(end, () => {
        stop();
        resolve();
      });
    });
  }

  #set(leader: Leader | undefined, revision: number): void {
    if (this.#options.end.aborted || revision <= this.#revision) return;
    this.#revision = revision;
    const isSame = leader?.epoch === this.leader?.epoch;
    this.leader = leader;
    if (!isSame) this.#options.changed(leader);
  }
}
