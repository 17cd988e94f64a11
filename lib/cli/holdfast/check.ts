/** `holdfast check`: whether a server would start with its settings; `--live`, whether one serves, as nagios asks. */

import type { LockClient } from '../../client/lock-client.ts';
import { findStartFailures } from '../check-settings.ts';
import { DEFAULT_SETTINGS_FILE } from '../server-command-line.ts';
import { completeSettings, readSettingsFile, SettingsError } from '../settings.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { showText } from './format.ts';
import { connect, type PlaceOptions, placeOf } from './place.ts';
import { print } from './query.ts';

/** How a plug-in of nagios ends. */
const NAGIOS = { ok: 0, warning: 1, critical: 2 } as const;

/** What a command line of `check` says. */
export interface CheckOptions extends PlaceOptions {
  readonly config?: string;
  readonly live?: true;
  readonly warning?: number;
  readonly critical?: number;
}

/** Checks a settings file with its certificates and its directories, or a running server. */
export async function check(options: CheckOptions): Promise<number> {
  if (options.live === true) return await checkLive(options);
  const { config = DEFAULT_SETTINGS_FILE } = options;
  const problems = await problemsOf(config);
  print(`${problems.length === 0 ? `${config}: ok` : problems.join('\n')}\n`);
  return problems.length === 0 ? HOLDFAST_CODES.ok : HOLDFAST_CODES.nothing;
}

async function problemsOf(config: string): Promise<readonly string[]> {
  try {
    const failures = await findStartFailures(completeSettings(readSettingsFile(config), config));
    return failures.map(({ message }) => `${config}: ${message}`);
  } catch (error) {
    if (error instanceof SettingsError) return [error.message];
    throw error;
  }
}

async function checkLive(options: CheckOptions): Promise<number> {
  const beganMs = performance.now();
  let client: LockClient | undefined;
  try {
    client = await connect(placeOf(options), { reconnect: false, session: false });
    const { locks, permits, holders, waiting, awaitedSessions } = await client.stats();
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(3);
    const level = levelOf(waiting, awaitedSessions, options);
    const grace = awaitedSessions === 0 ? '' : `, ${awaitedSessions} sessions of before the restart are not back`;
    const text = `${holders} held, ${waiting} waiting, answered in ${seconds} s${grace}`;
    print(
      `HOLDFAST ${level.toUpperCase()} - ${text} | locks=${locks} permits=${permits} waiting=${waiting} time=${seconds}s\n`,
    );
    return NAGIOS[level];
  } catch (error) {
    print(`HOLDFAST CRITICAL - ${showText((error as Error).message)}\n`);
    return NAGIOS.critical;
  } finally {
    await client?.close();
  }
}

function levelOf(waiting: number, awaited: number, { warning, critical }: CheckOptions): keyof typeof NAGIOS {
  if (critical !== undefined && waiting >= critical) return 'critical';
  return (warning !== undefined && waiting >= warning) || awaited > 0 ? 'warning' : 'ok';
}
