/** Answers what clients ask of the history. */

import { mapResult } from '../message/pending-result.ts';
import type { HistoryQuery, HistorySource } from './history-source.ts';
import type { HistoryParameters } from './lock-commands.ts';
import type { PageLimits } from './lock-manager.ts';
import { type Refusal, refuseNames, type TextLimits } from './lock-requests.ts';

const MS_A_SECOND = 1_000;

/** Resolves to the page that the client asked for, or refuses names that no lock can have. */
export function answerHistory(
  source: HistorySource,
  limits: TextLimits & PageLimits,
  parameters: HistoryParameters & { readonly max: number },
  isWanted: () => boolean,
): Refusal | object {
  const { lockName, prefix, max } = parameters;
  const refusal = refuseNames(limits, lockName, prefix);
  if (refusal !== undefined) return refusal;
  const page = { max: Math.min(max, limits.maxPageEntries), maxBytes: limits.maxPageBytes };
  return mapResult(source.page(toQuery(parameters), page, isWanted), (found) => ({ status: 'ok', ...found }));
}

function toQuery({ lockName, prefix, since, until, reason, after }: HistoryParameters): HistoryQuery {
  return { lockName, prefix, sinceMs: inMs(since), untilMs: inMs(until), reason, after };
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * MS_A_SECOND;
}
