/** `holdfast check`: whether a server would start with its settings; `--live`, whether one serves, as nagios asks. */

import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LockClient } from '../../client/lock-client.ts';
import { openClient } from '../cluster.ts';
import { isClustered } from '../cluster-settings.ts';
import { planListeners } from '../listeners.ts';
import { planMonitoring } from '../monitoring.ts';
import { completeSettings, readSettingsFile, type Settings, SettingsError } from '../settings.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { showText } from './format.ts';
import { connect, type PlaceOptions, placeOf } from './place.ts';
import { print } from './query.ts';

const DEFAULT_SETTINGS_FILE = fileURLToPath(new URL('../../../../config/settings.json', import.meta.url));

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
  try {
    const settings = completeSettings({ ...readSettingsFile(config) }, config);
    const planned = planListeners(settings);
    planMonitoring(settings, false);
    const { history, stateDirectory } = settings;
    if (history.enabled) checkDirectory('history.directory', history.directory);
    checkDirectory('stateDirectory', stateDirectory);
    await checkCluster(settings);
    print(`${config} is good: ${planned.length} ${planned.length === 1 ? 'listener' : 'listeners'}\n`);
    return HOLDFAST_CODES.ok;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    print(`${error.message}\n`);
    return HOLDFAST_CODES.nothing;
  }
}

/**
 * @throws SettingsError when the server could not use the directory. One that is not there is made at the start, so what is above it counts.
 */
function checkDirectory(field: string, directory: string): void {
  if (directory === '') return;
  try {
    let path = directory;
    while (statSync(path, { throwIfNoEntry: false }) === undefined && dirname(path) !== path) path = dirname(path);
    if (!statSync(path).isDirectory()) throw new Error('it is no directory');
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new SettingsError(`settings.${field} is ${JSON.stringify(directory)}: ${(error as Error).message}`);
  }
}

/** Reads the files for etcd as the server does. Rejects with a `SettingsError`. */
async function checkCluster(settings: Settings): Promise<void> {
  if (!isClustered(settings)) return;
  try {
    const client = await openClient(settings);
    client.close();
  } catch (error) {
    throw new SettingsError((error as Error).message);
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
