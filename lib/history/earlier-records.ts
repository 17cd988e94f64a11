/** The records that earlier runs have written, so that a restart forgets nothing. */

import type { Buffer } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HistoryRecord } from '../protocol.ts';

/** Turned into records at a time, so that nobody waits for it. */
const LINES_A_TURN = 50;
const NEWLINE = 0x0a;

/** What was in a file when this run began: it may grow by records of this run. */
export interface EarlierFile {
  readonly path: string;
  readonly bytes: number;
}

/**
 * Gives each record of the files to `take`, the last one first, until that returns false. What is torn or no record is passed over, and so
 * are files that cannot be read.
 */
export async function readEarlier(
  files: readonly EarlierFile[],
  take: (record: HistoryRecord) => boolean,
): Promise<void> {
  let count = 0;
  for (const { path, bytes } of files) {
    const content = await readFile(path).catch(() => undefined);
    if (content === undefined) continue;
    for (const line of linesFromTheEnd(content.subarray(0, bytes))) {
      const record = recordOf(line);
      if (record !== undefined && !take(record)) return;
      count += 1;
      if (count % LINES_A_TURN === 0) await nextTurn();
    }
  }
}

function* linesFromTheEnd(content: Buffer): Generator<string, void, undefined> {
  let end = content.length;
  while (end > 0) {
    const begin = content.lastIndexOf(NEWLINE, end - 1) + 1;
    yield content.toString('utf8', begin, end);
    end = begin - 1;
  }
}

function recordOf(line: string): HistoryRecord | undefined {
  try {
    const record: unknown = JSON.parse(line);
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** A member of another type would throw, or be counted as no number of bytes, long after its line was read. */
function isRecord(value: unknown): value is HistoryRecord {
  const record = (value ?? {}) as Partial<Record<keyof HistoryRecord, unknown>>;
  const { kind, reason, name, address, sinceMs, untilMs } = record;
  const { lockName, otherLocks = [], mode, owner, token, waitedMs, session, count, killed } = record;
  return (
    [kind, reason, name, address].every(isText) &&
    [sinceMs, untilMs].every(Number.isFinite) &&
    [lockName, mode, owner, session, killed].every((each) => each === undefined || isText(each)) &&
    [token, waitedMs, count].every((each) => each === undefined || Number.isFinite(each)) &&
    Array.isArray(otherLocks) &&
    otherLocks.every(isText)
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
