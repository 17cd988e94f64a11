/** Follows the key of the leader. */

import type { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import { whenAborted } from '../message/abort-listeners.ts';
import { pause } from '../message/timeout.ts';
import { type Leader, toLeader } from './leader-record.ts';

const RETRY_MS = 250;

export class LeaderWatch {
  readonly #client: EtcdClient;
  readonly #key: string;
  readonly #end: AbortSignal;
  readonly #changed: (leader: Leader | undefined) => void;
  leader: Leader | undefined;

  /** Until `end`, calls `changed` whenever the leader is another, or there is none any more. */
  constructor(client: EtcdClient, key: string, end: AbortSignal, changed: (leader: Leader | undefined) => void) {
    this.#client = client;
    this.#key = key;
    this.#end = end;
    this.#changed = changed;
  }

  /** Rejects with an `EtcdError` when the key cannot be read. Afterwards it is read again as often as it takes. */
  async start(): Promise<void> {
    const revision = await this.read();
    void this.#follow(revision);
  }

  /** Reads the key; resolves to the revision of the answer. Rejects with an `EtcdError`. */
  async read(): Promise<number> {
    const { entries, revision } = await this.#client.range(this.#key);
    const [entry] = entries;
    this.#set(entry && toLeader(entry.value, entry.createRevision));
    return revision;
  }

  async #follow(revision: number): Promise<void> {
    let from: number | undefined = revision + 1;
    while (!this.#end.aborted) {
      try {
        from ??= (await this.read()) + 1;
        await this.#watch(from);
      } catch {
        await pause(RETRY_MS, this.#end);
      }
      from = undefined;
    }
  }

  /** Rejects when the watch breaks. */
  #watch(fromRevision: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = this.#client.watch(
        { key: this.#key, fromRevision },
        {
          changed: (events) => {
            for (const { type, entry } of events)
              this.#set(type === 'put' ? toLeader(entry.value, entry.createRevision) : undefined);
          },
          failed: (error) => {
            stopWaiting();
            reject(error);
          },
        },
      );
      const stopWaiting = whenAborted(this.#end, () => {
        stop();
        resolve();
      });
    });
  }

  #set(leader: Leader | undefined): void {
    if (this.#end.aborted) return;
    const isSame = leader?.epoch === this.leader?.epoch;
    this.leader = leader;
    if (!isSame) this.#changed(leader);
  }
}
