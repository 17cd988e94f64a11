/** The newest records, as many as fit. */

import type { HistoryRecord } from '../protocol.ts';

/** What a record takes in memory beside its texts, about. */
const RECORD_BYTES = 250;
const BYTES_A_CHARACTER = 2;

/** Roughly how many bytes a record takes, in memory and in JSON. */
export function bytesOfRecord({
  lockName = '',
  otherLocks,
  owner = '',
  name,
  address,
  killed = '',
}: HistoryRecord): number {
  let characters = lockName.length + owner.length + name.length + address.length + killed.length;
  if (otherLocks !== undefined) for (const other of otherLocks) characters += other.length;
  return RECORD_BYTES + BYTES_A_CHARACTER * characters;
}

/** The number of the first record of this run, so that those of earlier runs have room below. */
const FIRST_NUMBER = 1_000_000_000;

/** Numbers records in their order, and forgets the oldest when there are too many or they take too much. */
export class RecordRing {
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  readonly #records: (HistoryRecord | undefined)[];
  #first = FIRST_NUMBER;
  #next = FIRST_NUMBER;
  #bytes = 0;

  constructor(maxRecords: number, maxBytes: number) {
    this.#maxRecords = maxRecords;
    this.#maxBytes = maxBytes;
    // It is filled from both ends.
    this.#records = new Array(maxRecords);
  }

  /** The number of the record that comes next. */
  get next(): number {
    return this.#next;
  }

  /** The record with that number, unless it is forgotten or has not come. */
  get(number: number): HistoryRecord | undefined {
    return number < this.#first || number >= this.#next ? undefined : this.#records[number % this.#maxRecords];
  }

  add(record: HistoryRecord): void {
    if (this.#next - this.#first === this.#maxRecords) this.#forgetFirst();
    this.#records[this.#next % this.#maxRecords] = record;
    this.#next += 1;
    this.#bytes += bytesOfRecord(record);
    while (this.#bytes > this.#maxBytes && this.#next - this.#first > 1) this.#forgetFirst();
  }

  /** Adds a record from before the oldest one. False if there is no room. */
  addEarlier(record: HistoryRecord): boolean {
    const bytes = bytesOfRecord(record);
    const isFull = this.#next - this.#first === this.#maxRecords || this.#bytes + bytes > this.#maxBytes;
    if (isFull || this.#first === 0) return false;
    this.#first -= 1;
    this.#records[this.#first % this.#maxRecords] = record;
    this.#bytes += bytes;
    return true;
  }

  #forgetFirst(): void {
    const index = this.#first % this.#maxRecords;
    this.#bytes -= bytesOfRecord(this.#records[index] as HistoryRecord);
    this.#records[index] = undefined;
    this.#first += 1;
  }
}
