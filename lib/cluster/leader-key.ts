/** The key whose owner leads. */

import type { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import { EtcdError } from '../ledger/etcd/etcd-error.ts';
import { type LeaderRecord, toText } from './leader-record.ts';

export class LeaderKey {
  readonly key: string;
  readonly #client: EtcdClient;

  constructor(client: EtcdClient, prefix: string) {
    this.#client = client;
    this.key = `${prefix}leader`;
  }

  /** Makes the key, if there is none, under a lease. Resolves to the epoch, undefined if another node leads. Rejects with an `EtcdError`. */
  async take(record: LeaderRecord, leaseId: string): Promise<number | undefined> {
    const { key } = this;
    const value = toText(record);
    try {
      const { succeeded, revision } = await this.#client.txn({
        compare: [{ key, createRevision: 0 }],
        success: [{ kind: 'put', key, value, lease: leaseId }],
      });
      return succeeded ? revision : undefined;
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.isOutcomeUnknown) throw error;
      // The key says whether it was carried out; if not yet, whoever sees it later gives it up.
      const [entry] = (await this.#client.range(key)).entries;
      return entry?.value === value ? entry.createRevision : undefined;
    }
  }

  /** Deletes the key of an epoch, if it is still there. Rejects with an `EtcdError`; then the key may be there until its lease ends. */
  async giveUp(epoch: number): Promise<void> {
    const { key } = this;
    await this.#client.txn({ compare: [{ key, createRevision: epoch }], success: [{ kind: 'delete', key }] });
  }
}
