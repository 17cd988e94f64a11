/** Answers what stands out among all locks, and how much of the limits is used. */

import type { LimitUsage, LockSurvey, NamedLockHolder, NamedLockWaiter } from '../protocol.ts';
import type { LockServerLimits } from './lock-server-limits.ts';
import { charactersOf } from './page-size.ts';
import type { ServerMonitor, ServerStatistics } from './server-monitor.ts';
import type { Surveys } from './surveys.ts';

/** Resolves to at most `max` waits and as many holds, the longest first, which take about a page together. */
export async function answerSurvey(
  monitor: ServerMonitor,
  surveys: Surveys,
  max: number,
): Promise<LockSurvey & { readonly status: 'ok' }> {
  const { survey, ageMs } = await surveys.latest(monitor);
  const { holders, waiters } = survey;
  const maxCharacters = monitor.limits.maxPageBytes / 2;
  const longestWaits = firstOf(survey.longestWaits, max, maxCharacters).map(({ kind, ...wait }) => wait);
  const longestHolds = firstOf(survey.longestHolds, max, maxCharacters);
  const usage = usageOf(monitor.limits, await monitor.statistics());
  return { status: 'ok', ageMs, holders, waiters, longestWaits, longestHolds, usage };
}

/** The limits that a server may come near to, with what is used of each. */
export function usageOf(limits: LockServerLimits, statistics: ServerStatistics): readonly LimitUsage[] {
  const { openConnections, locks, permits, tableBytes, suspendedSessions } = statistics;
  return [
    { limit: 'maxConnections', used: openConnections, max: limits.maxConnections },
    { limit: 'maxLocks', used: locks + permits, max: limits.maxLocks },
    { limit: 'maxTableBytes', used: tableBytes, max: limits.maxTableBytes },
    { limit: 'maxSuspendedSessions', used: suspendedSessions, max: limits.maxSuspendedSessions },
  ];
}

/** At least one, however long its names are. */
function firstOf<Entry extends NamedLockHolder | NamedLockWaiter>(
  entries: readonly Entry[],
  max: number,
  maxCharacters: number,
): readonly Entry[] {
  let characters = 0;
  const end = entries.slice(0, max).findIndex((entry, index) => {
    characters += entry.lockName.length + charactersOf(entry);
    return characters > maxCharacters && index > 0;
  });
  return entries.slice(0, end === -1 ? max : end);
}
