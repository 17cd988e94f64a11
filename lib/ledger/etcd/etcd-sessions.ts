/** The keys with the sessions that hold something: `ID` for each, and `ID/TOKEN` for what it has lost. */

import type { EarlierSession, LossRecord, SessionRecord } from '../ledger.ts';
import { LedgerError } from '../ledger-error.ts';
import type { SessionChange, SessionStore } from '../session-queue.ts';
import type { EtcdClient } from './etcd-client.ts';
import { type KeyValue, type Operation, readRecord } from './etcd-values.ts';
import type { LeaderWrites } from './leader-writes.ts';

/** One is the count of the writes, and half of the others are for losses that are over. */
const MAX_OPERATIONS = 100;
const MAX_CHANGES = 49;
const PAGE_SIZE = 1_000;

/** Where the keys are. */
export interface SessionKeys {
  /** Ends with a slash, like the other. */
  readonly sessions: string;
  readonly losses: string;
}

interface KeptLoss {
  readonly id: string;
  readonly key: string;
  readonly untilMs: number;
}

/**
 * Reads the sessions of earlier leaders, and what they have lost. C2: as the whole cluster knows them, after the election.
 * Rejects with a LedgerError `unreadable` (L4), or with an EtcdError.
 */
export async function readSessions(client: EtcdClient, keys: SessionKeys): Promise<readonly EarlierSession[]> {
  const losses = new Map<string, LossRecord[]>();
  for (const { key, value } of await readAll(client, keys.losses)) {
    const [id = '', token = ''] = key.slice(keys.losses.length).split('/');
    const known = losses.get(id) ?? [];
    known.push({ token: Number(token), reason: value });
    losses.set(id, known);
  }
  return (await readAll(client, keys.sessions)).map((entry) => {
    const session = toSession(entry, entry.key.slice(keys.sessions.length));
    const lost = losses.get(session.id);
    return lost === undefined ? session : { ...session, losses: lost };
  });
}

export class EtcdSessions implements SessionStore {
  readonly place = 'etcd';
  readonly atStart: readonly EarlierSession[];
  readonly extraWaitMs: number;
  readonly isUncertain = true;
  readonly #keys: SessionKeys;
  readonly #writes: LeaderWrites;
  /** The time-outs of the listed sessions. */
  readonly #timeouts: Map<string, number>;
  /** Sessions with losses, some of which may have been dropped. */
  readonly #losers: Set<string>;
  /** In the order in which they came. */
  readonly #losses: KeptLoss[];

  constructor(keys: SessionKeys, writes: LeaderWrites, atStart: readonly EarlierSession[], leaseMs: number) {
    this.atStart = atStart;
    // C2: the leader before may answer for so long.
    this.extraWaitMs = leaseMs;
    this.#keys = keys;
    this.#writes = writes;
    this.#timeouts = new Map(atStart.map(({ id, timeoutMs }) => [id, timeoutMs]));
    this.#losers = new Set(atStart.flatMap(({ id, losses = [] }) => (losses.length > 0 ? [id] : [])));
    this.#losses = atStart.flatMap(({ id, losses = [] }) => losses.map(({ token }) => this.#keep(id, token)));
  }

  /** A session that was ended and is added again comes with the next write, since no key may be changed twice in one. */
  fit(queue: readonly { readonly change: SessionChange }[]): number {
    const ended = new Set<string>();
    const most = Math.min(queue.length, MAX_CHANGES);
    for (let count = 0; count < most; count += 1) {
      const { kind, id } = (queue[count] as (typeof queue)[number]).change;
      if (ended.has(id)) return count;
      if (kind === 'end') ended.add(id);
    }
    return most;
  }

  async write(changes: readonly SessionChange[]): Promise<void> {
    const operations = this.#operationsOf(changes);
    const overdue = this.#overdue(MAX_OPERATIONS - 1 - operations.size);
    for (const { id, key } of overdue) {
      // What a session that ends has lost is gone already.
      const isListed = this.#losers.has(id) && !operations.has(`${this.#keys.losses}${id}/`);
      if (isListed && !operations.has(key)) operations.set(key, { kind: 'delete', key });
    }
    await this.#writes.write([...operations.values()]);
    this.#losses.splice(0, overdue.length);
    for (const change of changes) this.#note(change);
  }

  /** By key. What a session that ends has lost is deleted with it. */
  #operationsOf(changes: readonly SessionChange[]): Map<string, Operation> {
    const operations = new Map<string, Operation>();
    for (const change of changes) {
      const key = this.#keys.sessions + change.id;
      const losses = `${this.#keys.losses}${change.id}/`;
      if (change.kind === 'add') {
        const { id: _, ...value } = change.session;
        operations.set(key, { kind: 'put', key, value: JSON.stringify(value) });
      } else if (change.kind === 'lose') {
        const lossKey = losses + change.loss.token;
        operations.set(lossKey, { kind: 'put', key: lossKey, value: change.loss.reason });
      } else {
        operations.set(key, { kind: 'delete', key });
        const now = [...operations.keys()].filter((each) => each.startsWith(losses));
        for (const each of now) operations.delete(each);
        if (now.length > 0 || this.#losers.has(change.id)) {
          operations.set(losses, { kind: 'delete', key: losses, isPrefix: true });
        }
      }
    }
    return operations;
  }

  /** L3: losses are dropped after the time-outs of their sessions, when no client can be unaware of them and reclaim a lock. */
  #overdue(most: number): readonly KeptLoss[] {
    const nowMs = performance.now();
    const count = this.#losses.findIndex(({ untilMs }) => untilMs > nowMs);
    return this.#losses.slice(0, Math.min(most, count < 0 ? this.#losses.length : count));
  }

  #note(change: SessionChange): void {
    const { id } = change;
    if (change.kind === 'add') this.#timeouts.set(id, change.session.timeoutMs);
    if (change.kind === 'lose') {
      this.#losers.add(id);
      this.#losses.push(this.#keep(id, change.loss.token));
    }
    if (change.kind !== 'end') return;
    this.#timeouts.delete(id);
    this.#losers.delete(id);
  }

  #keep(id: string, token: number): KeptLoss {
    const untilMs = performance.now() + (this.#timeouts.get(id) ?? 0);
    return { id, key: `${this.#keys.losses}${id}/${token}`, untilMs };
  }
}

async function readAll(client: EtcdClient, prefix: string): Promise<readonly KeyValue[]> {
  const all: KeyValue[] = [];
  for (;;) {
    const after = all.at(-1)?.key;
    const page = { isPrefix: true, limit: PAGE_SIZE, ...(after === undefined ? {} : { after }) };
    const { entries, isMore } = await client.range(prefix, page);
    all.push(...entries);
    if (!isMore) return all;
  }
}

/** L4: an unreadable list stops the start. */
function toSession({ key, value }: KeyValue, id: string): SessionRecord {
  const { secretHash, timeoutMs } = readRecord(key, value);
  if (typeof secretHash === 'string' && Number.isSafeInteger(timeoutMs)) {
    return { id, secretHash, timeoutMs: timeoutMs as number };
  }
  throw new LedgerError('unreadable', `etcd's key ${key} does not tell the secretHash and the timeoutMs of a session`);
}
