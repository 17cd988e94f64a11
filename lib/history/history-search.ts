/** Looks for records, the newest first and a few at a time, since most of them may have to be looked at. */

import type { HistoryPage, HistoryRecord } from '../protocol.ts';
import type { HistoryPageLimits, HistoryQuery } from '../server/history-source.ts';
import { bytesOfRecord, type RecordRing } from './record-ring.ts';

/** One page in the making. */
export class HistorySearch {
  readonly #ring: RecordRing;
  readonly #query: HistoryQuery;
  readonly #limits: HistoryPageLimits;
  readonly #records: HistoryRecord[] = [];
  /** The number of the record to look at next. */
  #number: number;
  #bytes = 0;
  #state: 'searching' | 'full' = 'searching';

  constructor(ring: RecordRing, query: HistoryQuery, limits: HistoryPageLimits) {
    this.#ring = ring;
    this.#query = query;
    this.#limits = limits;
    this.#number = Math.min(query.after ?? ring.next, ring.next) - 1;
  }

  /** Looks at up to `count` records. The result is the page once it is made. */
  step(count: number): HistoryPage | undefined {
    for (let seen = 0; seen < count; seen += 1) {
      const record = this.#ring.get(this.#number);
      if (record === undefined) return { records: this.#records };
      if (matches(record, this.#query) && !this.#take(record)) {
        return { records: this.#records, next: this.#number + 1 };
      }
      this.#number -= 1;
    }
    return undefined;
  }

  /** False if the record does not fit in. */
  #take(record: HistoryRecord): boolean {
    this.#bytes += bytesOfRecord(record);
    if (this.#records.length > 0 && this.#bytes > this.#limits.maxBytes) this.#state = 'full';
    if (this.#records.length === this.#limits.max) this.#state = 'full';
    if (this.#state === 'searching') this.#records.push(record);
    return this.#state === 'searching';
  }
}

/** Whether a record is wanted. */
function matches(record: HistoryRecord, query: HistoryQuery): boolean {
  const { lockName, prefix, reason, sinceMs = 0, untilMs = Number.POSITIVE_INFINITY } = query;
  if (record.untilMs < sinceMs || record.sinceMs > untilMs) return false;
  if (reason !== undefined && record.reason !== reason && record.session !== reason) return false;
  if (lockName !== undefined && !namesOne(record, (name) => name === lockName)) return false;
  return prefix === undefined || prefix === '' || namesOne(record, (name) => name.startsWith(prefix));
}

function namesOne({ lockName, otherLocks = [] }: HistoryRecord, isWanted: (name: string) => boolean): boolean {
  return lockName !== undefined && (isWanted(lockName) || otherLocks.some(isWanted));
}
