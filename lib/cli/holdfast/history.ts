/** `holdfast history`: what happened to locks and is over. */

import type { HistoryPage, HistoryReason, HistoryRecord } from '../../protocol.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { noteOnStandardError } from './follow.ts';
import { showClient, showDuration, showMoment, showName, table } from './format.ts';
import { ask, print, printJson, type QueryOptions } from './query.ts';

const PAGE = 1_000;

/** What a command line of `history` says. */
export interface HistoryOptions extends QueryOptions {
  readonly prefix?: string;
  readonly since?: number;
  readonly until?: number;
  readonly at?: number;
  readonly reason?: string;
  readonly max: number;
}

/** Shows the newest records first. Resolves to 1 when there are none. */
export async function history(name: string | undefined, options: HistoryOptions): Promise<number> {
  return await ask(options, async (client) => {
    const { prefix, at, since = at, until = at, max, json, reason } = options;
    const wanted = {
      lockName: name,
      prefix,
      sinceMs: since,
      untilMs: until,
      reason: reason as HistoryReason | undefined,
    };
    const records: HistoryRecord[] = [];
    let page: HistoryPage | undefined;
    do {
      page = await client.history({ ...wanted, after: page?.next, max: Math.min(PAGE, max - records.length) });
      records.push(...page.records);
    } while (page.next !== undefined && records.length < max);
    if (json === true) printJson(records);
    else if (records.length > 0) print(table(HEADING, records.map(toRow)));
    else noteOnStandardError(NOTHING);
    return records.length === 0 ? HOLDFAST_CODES.nothing : undefined;
  });
}

/** The hold that is asked for may still go on, or have been too short to be kept. */
const NOTHING = 'no such record; what still goes on is told by holdfast inspect';

const HEADING = ['FROM', 'UNTIL', 'LASTED', 'WAITED', 'LOCK', 'WHAT', 'HOW', 'CLIENT'];

function toRow(record: HistoryRecord): readonly string[] {
  const { kind, reason, session, lockName, sinceMs, untilMs, waitedMs, count } = record;
  const ending = session === undefined ? reason : `${reason} (${session})`;
  const how = count === undefined ? ending : `${ending}, ${count}`;
  return [
    showMoment(sinceMs),
    showMoment(untilMs),
    showDuration(Math.max(0, untilMs - sinceMs)),
    waitedMs === undefined ? '-' : showDuration(waitedMs),
    lockName === undefined ? '-' : showName(lockName),
    kind,
    how,
    showClient(record),
  ];
}
