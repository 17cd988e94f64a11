/** The history: one record for each hold that lasted, was waited for or was lost, and for what else somebody may ask about later. */

import { PendingResult } from '../message/pending-result.ts';
import { TurnBudget } from '../message/scheduler.ts';
import type { HistoryPage, HistoryRecord, HoldEnd, RequestedLock } from '../protocol.ts';
import type { HistoryPageLimits, HistoryQuery, HistorySource } from '../server/history-source.ts';
import type {
  Intervention,
  LockObserver,
  ObservedClaim,
  ObservedClient,
  ObservedRefusal,
  ObservedSession,
} from '../server/lock-observer.ts';
import { HistorySearch } from './history-search.ts';
import { RecordRing } from './record-ring.ts';

/** How many records to look at before looking at the clock again. */
const RECORDS_A_STEP = 256;
const MAX_OTHER_LOCKS = 99;
const DEFAULT_MAX_RECORDS = 100_000;
const DEFAULT_MAX_BYTES = 67_108_864;
const DEFAULT_MIN_HELD_MS = 100;

/** Keeps records beyond the memory of the process. It must not throw. */
export interface RecordKeeper {
  add(record: HistoryRecord): void;
}

/** How a history is kept. */
export interface LockHistoryOptions {
  /** How many records are kept in memory, 100,000 by default. */
  readonly maxRecords?: number;
  /** How many bytes these may take, roughly; 64 MiB by default. */
  readonly maxBytes?: number;
  /** A hold that was released earlier and was not waited for gets no record. Milliseconds, 100 by default. */
  readonly minHeldMs?: number;
  /** Whether each hold and each refused request gets a record; false by default. */
  readonly everything?: boolean;
  /** Gets each record too. */
  readonly keeper?: RecordKeeper | undefined;
}

/** Observes a server, and answers its clients. */
export class LockHistory implements LockObserver, HistorySource {
  readonly #ring: RecordRing;
  readonly #minHeldMs: number;
  readonly #isEverything: boolean;
  readonly #keeper: RecordKeeper | undefined;
  readonly #budget = new TurnBudget();

  constructor(options: LockHistoryOptions = {}) {
    const { maxRecords = DEFAULT_MAX_RECORDS, maxBytes = DEFAULT_MAX_BYTES } = options;
    this.#ring = new RecordRing(maxRecords, maxBytes);
    this.#minHeldMs = options.minHeldMs ?? DEFAULT_MIN_HELD_MS;
    this.#isEverything = options.everything ?? false;
    this.#keeper = options.keeper;
  }

  ended({ lock, mode, owner, token, sinceMs, waitedMs }: ObservedClaim, how: HoldEnd, nowMs: number): void {
    const heldMs = nowMs - sinceMs;
    const isOrdinary = how === 'released' && heldMs < this.#minHeldMs && waitedMs === undefined;
    if (isOrdinary && !this.#isEverything) return;
    const { client, end } = owner.session;
    const untilMs = Date.now();
    this.#add({
      kind: 'hold',
      reason: how,
      lockName: lock.name,
      otherLocks: undefined,
      mode,
      owner: owner.tag,
      name: client.clientName,
      address: client.address,
      token,
      sinceMs: untilMs - Math.max(0, Math.round(heldMs)),
      untilMs,
      waitedMs,
      session: how === 'sessionEnded' ? end : undefined,
      count: undefined,
      killed: undefined,
    });
  }

  refused({ session, request, result, waitedMs }: ObservedRefusal): void {
    // A try-lock that finds the lock taken is an answer like any other, and there may be thousands in a second.
    const isOrdinary = result.status === 'unavailable' || result.status === 'invalid';
    if (isOrdinary && waitedMs === undefined && !this.#isEverything) return;
    const [first, ...others] = 'locks' in request ? request.locks.slice(0, MAX_OTHER_LOCKS + 1) : [request];
    const { name: lockName, mode } = first as RequestedLock;
    const untilMs = Date.now();
    this.#add({
      kind: 'request',
      reason: result.status,
      lockName,
      otherLocks: others.length > 0 ? others.map(({ name }) => name) : undefined,
      mode,
      owner: request.tag,
      name: session.client.clientName,
      address: session.client.address,
      token: undefined,
      sinceMs: untilMs - (waitedMs ?? 0),
      untilMs,
      waitedMs,
      session: undefined,
      count: undefined,
      killed: undefined,
    });
  }

  sessionEnded({ client, end }: ObservedSession, holds: number): void {
    if (holds > 0 && end !== undefined) this.#add(ofMoment('session', end, client, { count: holds }));
  }

  intervened({ by, client, lockName, killed, count }: Intervention): void {
    this.#add(ofMoment(by, by, client, { lockName, killed, count }));
  }

  /** Adds a record of an earlier run, from before the oldest one. False if there is no room. */
  addEarlier(record: HistoryRecord): boolean {
    return this.#ring.addEarlier(record);
  }

  page(query: HistoryQuery, limits: HistoryPageLimits, isWanted: () => boolean): PendingResult<HistoryPage> {
    const page = new PendingResult<HistoryPage>();
    const search = new HistorySearch(this.#ring, query, limits);
    this.#budget.add(() => {
      if (!isWanted()) return 'done';
      const found = search.step(RECORDS_A_STEP);
      if (found === undefined) return 'again';
      page.settle(found);
      return 'done';
    });
    return page;
  }

  #add(record: HistoryRecord): void {
    this.#ring.add(record);
    this.#keeper?.add(record);
  }
}

/** What took no time. It has the members of all records in the same order, which the engine makes fastest. */
function ofMoment(
  kind: HistoryRecord['kind'],
  reason: HistoryRecord['reason'],
  client: ObservedClient,
  { lockName, killed, count }: Pick<HistoryRecord, 'lockName' | 'killed' | 'count'>,
): HistoryRecord {
  const nowMs = Date.now();
  return {
    kind,
    reason,
    lockName,
    otherLocks: undefined,
    mode: undefined,
    owner: undefined,
    name: client.clientName,
    address: client.address,
    token: undefined,
    sinceMs: nowMs,
    untilMs: nowMs,
    waitedMs: undefined,
    session: undefined,
    count,
    killed,
  };
}
