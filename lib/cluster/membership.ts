/** The place of a node in the cluster: a key under a lease that the node keeps alive. */

import type { EtcdClient } from '../ledger/etcd/etcd-client.ts';
import { thisMoment } from '../message/moment.ts';
import { pause } from '../message/timeout.ts';
import { Fence } from './fence.ts';
import type { AgreedPolicy } from './policy.ts';

/** The lease is kept alive so often while it lasts. */
export const KEEP_ALIVES = 5;
const LONGEST_RETRY_MS = 250;
const MS_A_SECOND = 1_000;

/** Another node has the name. */
export class NameTakenError extends Error {
  override readonly name: string = 'NameTakenError';
}

/** Another node has joined, or has changed the policy, since this one agreed to it. */
export class PolicyChangedError extends Error {
  override readonly name: string = 'PolicyChangedError';
}

/** What a node tells the others. */
export interface NodeRecord {
  readonly node: string;
  /** Where clients reach it. */
  readonly address: string;
}

export interface MembershipOptions {
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly record: NodeRecord;
  readonly leaseSeconds: number;
  /** What the node has agreed to. */
  readonly agreed: AgreedPolicy;
}

export class Membership {
  /** Aborts once the lease is no longer certain. */
  readonly end: AbortSignal;
  readonly leaseId: string;
  readonly #client: EtcdClient;
  readonly #leaseMs: number;
  readonly #fence: Fence;
  /** Milliseconds from asking to the answer, of the last keep-alive. */
  lagMs = 0;

  /** Rejects with an `EtcdError`, with a `NameTakenError`, or with a `PolicyChangedError`. */
  static async join({ client, prefix, record, leaseSeconds, agreed }: MembershipOptions): Promise<Membership> {
    const sent = thisMoment();
    const { id, ttlSeconds } = await client.grantLease(leaseSeconds);
    const leaseMs = Math.min(ttlSeconds, leaseSeconds) * MS_A_SECOND;
    const end = new AbortController();
    const membership = new Membership(client, id, leaseMs, end.signal, new Fence(leaseMs, sent, () => end.abort()));
    try {
      await membership.#announce(`${prefix}nodes/${record.node}`, record, agreed);
    } catch (error) {
      await membership.leave();
      throw error;
    }
    void membership.#keepAlive();
    return membership;
  }

  private constructor(client: EtcdClient, leaseId: string, leaseMs: number, end: AbortSignal, fence: Fence) {
    this.#client = client;
    this.leaseId = leaseId;
    this.#leaseMs = leaseMs;
    this.end = end;
    this.#fence = fence;
  }

  /** C1: whether the lease is certain. Looks at the clocks. */
  get isCertain(): boolean {
    return this.#fence.isOpen;
  }

  /** Nothing may be done any more that needs the lease. */
  shut(): void {
    this.#fence.shut();
  }

  /** Gives the lease back, and with it all keys of the node. Never rejects: otherwise the lease ends by itself. */
  async leave(): Promise<void> {
    this.#fence.shut();
    await this.#client.revokeLease(this.leaseId).catch(() => {});
  }

  /** Writes the policy as well, so that a node with another one, which has looked for others before, does not change it. */
  async #announce(key: string, record: NodeRecord, agreed: AgreedPolicy): Promise<void> {
    const { succeeded, results } = await this.#client.txn({
      compare: [
        { key, createRevision: 0 },
        { key: agreed.key, modRevision: agreed.revision },
      ],
      success: [
        { kind: 'put', key, value: JSON.stringify(record), lease: this.leaseId },
        { kind: 'put', key: agreed.key, value: agreed.value },
      ],
      failure: [{ kind: 'range', key }],
    });
    if (succeeded) return;
    const [found] = results;
    if (found?.kind === 'range' && found.entries.length === 0)
      throw new PolicyChangedError('another node joined or changed the settings of the cluster at the same time');
    throw new NameTakenError(`another node of the cluster is called ${record.node}`);
  }

  async #keepAlive(): Promise<void> {
    while (this.isCertain) {
      const isAnswered = await this.#renew();
      const delayMs = this.#leaseMs / KEEP_ALIVES;
      await pause(isAnswered ? delayMs : Math.min(delayMs, LONGEST_RETRY_MS), this.end);
    }
  }

  async #renew(): Promise<boolean> {
    try {
      const { ttlSeconds, sentMs, sentWallMs } = await this.#client.keepAlive(this.leaseId);
      this.lagMs = performance.now() - sentMs;
      if (ttlSeconds <= 0) this.#fence.shut();
      else this.#fence.renew({ monotonicMs: sentMs, wallMs: sentWallMs });
      return true;
    } catch {
      // Tried again until the fence shuts.
      return false;
    }
  }
}
