/** What `holdfast top` asks the server for each time, and how fast its counters grow. */

import type { LockClient } from '../../../client/lock-client.ts';
import { refusal } from '../../../client/lock-error.ts';
import type { LockSurvey, ServerStatistics } from '../../../protocol.ts';

const MS_A_SECOND = 1_000;

/** The counters of a server, and what stands out among its locks. */
export interface Sample {
  readonly statistics: ServerStatistics;
  readonly survey: LockSurvey;
}

/** How often something happened, in times a second. */
export interface Rates {
  readonly requests: number;
  readonly grants: number;
  readonly releases: number;
  /** Holds that ended otherwise. */
  readonly losses: number;
}

/** Asks a server. Rejects with a `LockError`, `denied` where nobody may list locks, or with the signal's reason. */
export async function takeSample(client: LockClient, signal?: AbortSignal): Promise<Sample> {
  const [statistics, survey] = await Promise.all([ask(client, 'stats', signal), ask(client, 'survey', signal)]);
  return { statistics: statistics as unknown as ServerStatistics, survey: survey as unknown as LockSurvey };
}

/** Resolves to the answer without its status. */
async function ask(client: LockClient, command: string, signal: AbortSignal | undefined): Promise<object> {
  const { status, ...answer } = await client.rpc(command, {}, { signal });
  if (status !== 'ok') throw refusal({ status, ...answer }, `${command} was refused`);
  return answer;
}

/** By the clock of the server. Undefined without an earlier sample, or when the server was started since. */
export function ratesBetween(earlier: Sample | undefined, later: Sample): Rates | undefined {
  if (earlier === undefined) return undefined;
  const [before, now] = [earlier.statistics, later.statistics];
  const seconds = (now.uptimeMs - before.uptimeMs) / MS_A_SECOND;
  if (seconds <= 0) return undefined;
  const rateOf = (count: (statistics: ServerStatistics) => number): number => (count(now) - count(before)) / seconds;
  return {
    requests: rateOf(({ requests }) => Object.values(requests).reduce((sum, each) => sum + each, 0)),
    grants: rateOf(({ grants }) => grants),
    releases: rateOf(({ releases }) => releases),
    losses: rateOf((each) => each.expiredLeases + each.forced + each.stolen + each.orphans + each.permitOrphans),
  };
}
