/** A ledger in etcd, for the one of several servers that leads. */

import { randomUUID } from 'node:crypto';
import { tokenAt } from '../clock-tokens.ts';
import type { EarlierSession, Ledger, LedgerReport, SavedStop, SessionList, TokenSupply } from '../ledger.ts';
import { LedgerError } from '../ledger-error.ts';
import { SessionQueue } from '../session-queue.ts';
import { TokenBlock } from '../token-block.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import { EtcdSessions, readSessions } from './etcd-sessions.ts';
import { EtcdStop } from './etcd-stop.ts';
import { EtcdTokens, reservation } from './etcd-tokens.ts';
import { readRecord } from './etcd-values.ts';
import { type LeaderKey, LeaderWrites } from './leader-writes.ts';

/** Half of it is enough for many seconds of grants without a word from etcd. */
const BLOCK_SIZE = 2 ** 22;

export interface EtcdLedgerOptions {
  /** Stays open when the ledger is closed. */
  readonly client: EtcdClient;
  /** All keys begin so. */
  readonly prefix: string;
  readonly leader: LeaderKey;
  /** The lease of the leader's key. */
  readonly leaseMs: number;
  /** The wall clock. */
  readonly nowMs: number;
  readonly report: LedgerReport;
  /** Called once when a write or `confirmLead` finds that another server leads, or none. Whatever waits then is never answered. */
  readonly onDeposed: () => void;
  /** How many tokens to reserve ahead. */
  readonly blockSize?: number;
}

/** What earlier leaders left. */
interface Found {
  readonly lineage: string | undefined;
  readonly reserved: number;
  readonly epochBefore: unknown;
  readonly counterRevision: number;
  readonly sessions: readonly EarlierSession[];
}

/**
 * Opens the ledger for a server that was just elected. Rejects with a LedgerError `unreadable` or `unusable`, or with a RangeError when the clock
 * says a time where tokens cannot begin. C4: never resolves when the server does not lead any more.
 */
export async function openEtcdLedger(options: EtcdLedgerOptions): Promise<Ledger> {
  try {
    return await startLedger(options);
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    throw new LedgerError('unusable', `the ledger in etcd cannot be used: ${error.message}`, error);
  }
}

async function startLedger(options: EtcdLedgerOptions): Promise<Ledger> {
  const { client, prefix, leader, leaseMs, nowMs, report, onDeposed, blockSize = BLOCK_SIZE } = options;
  const clock = tokenAt(nowMs);
  const found = await findEarlier(client, prefix);
  const writes = new LeaderWrites({ client, leader, counterKey: `${prefix}writes`, onDeposed }, found.counterRevision);
  const lineage = found.lineage ?? randomUUID();
  // L1: next = max(reserved, clock).
  const begin = Math.max(found.reserved, clock);
  const reserve = (upTo: number): ReturnType<typeof reservation> => reservation(`${prefix}tokens`, upTo, leader.epoch);
  const isNew = found.lineage === undefined;
  // The lineage comes with the first tokens, so one is never there without the other.
  const first = isNew ? [{ kind: 'put', key: `${prefix}lineage`, value: lineage } as const] : [];
  await writes.write([...first, reserve(begin + blockSize)]);
  const store = new EtcdSessions(keysOf(prefix), writes, found.sessions, leaseMs);
  const tokens = new EtcdTokens(writes, reserve, report);
  return new EtcdLedger({
    lineage,
    writes,
    tokens,
    supply: new TokenBlock({
      begin,
      reserved: begin + blockSize,
      size: blockSize,
      reserve: (upTo) => tokens.reserve(upTo),
    }),
    sessions: new SessionQueue(store, report),
    savedStop: new EtcdStop({
      client,
      writes,
      prefix: `${prefix}stop/`,
      epochBefore: found.epochBefore,
      epoch: leader.epoch,
    }),
  });
}

/** L4: what is damaged stops the start. */
async function findEarlier(client: EtcdClient, prefix: string): Promise<Found> {
  const [lineage, tokens, counter] = await Promise.all(
    ['lineage', 'tokens', 'writes'].map(async (name) => (await client.range(prefix + name)).entries[0]),
  );
  const sessions = await readSessions(client, keysOf(prefix));
  const counterRevision = counter?.modRevision ?? 0;
  if (lineage === undefined && tokens === undefined && sessions.length === 0) {
    return { lineage: undefined, reserved: 0, epochBefore: undefined, counterRevision, sessions };
  }
  const missing = lineage === undefined ? 'lineage' : 'tokens';
  if (lineage === undefined || tokens === undefined) {
    throw new LedgerError(
      'unreadable',
      `etcd's key ${prefix}${missing} is missing, but others of the ledger are there`,
    );
  }
  const { reserved, epoch: epochBefore } = readRecord(tokens.key, tokens.value);
  if (!Number.isSafeInteger(reserved)) {
    throw new LedgerError('unreadable', `etcd's key ${tokens.key} does not tell the reserved tokens`);
  }
  return { lineage: lineage.value, reserved: reserved as number, epochBefore, counterRevision, sessions };
}

/** Where the sessions are. */
export function keysOf(prefix: string): { readonly sessions: string; readonly losses: string } {
  return { sessions: `${prefix}sessions/`, losses: `${prefix}losses/` };
}

interface Parts {
  readonly lineage: string;
  readonly writes: LeaderWrites;
  readonly tokens: EtcdTokens;
  readonly supply: TokenBlock;
  readonly sessions: SessionQueue;
  readonly savedStop: EtcdStop;
}

class EtcdLedger implements Ledger {
  readonly isDurable = true;
  readonly lineage: string;
  readonly tokens: TokenSupply;
  readonly sessions: SessionList;
  readonly savedStop: SavedStop;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.lineage = parts.lineage;
    this.tokens = parts.supply;
    this.sessions = parts.sessions;
    this.savedStop = parts.savedStop;
    this.#parts = parts;
  }

  confirmLead(): Promise<void> {
    return this.#parts.writes.confirm();
  }

  async close(): Promise<void> {
    const { writes, tokens, sessions } = this.#parts;
    tokens.close();
    await Promise.race([sessions.close(), writes.deposed]);
    await writes.close();
  }
}
