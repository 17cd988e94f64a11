/** Tells what keeps a server from starting with its settings, without starting it: nothing is opened, written or locked. */

import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { requireSoundKnowledge } from '../cluster/known-etcd.ts';
import { requireSoundState } from '../ledger/file-ledger.ts';
import { requireUsablePath } from '../transports/unix.ts';
import { openClient } from './cluster.ts';
import { isClustered } from './cluster-settings.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { planForwarding, planListeners } from './listeners.ts';
import { planMonitoring } from './monitoring.ts';
import { requireUsablePidfile } from './pidfile.ts';
import { dropPrivileges } from './privileges.ts';
import { type Settings, SettingsError } from './settings.ts';
import { StartFailure } from './start-failure.ts';

/**
 * Resolves to what is wrong, each with the exit code of a start. Becomes the user and the group of the settings for good, since it is they who
 * must be able to use the directories.
 */
export async function findStartFailures(settings: Settings): Promise<readonly StartFailure[]> {
  const { usage, cannotListen, pidfile, stateDirectory, cluster } = EXIT_CODES;
  const checks: readonly (readonly [exitCode: number, check: () => unknown])[] = [
    [usage, () => checkListeners(settings)],
    [cannotListen, () => checkSockets(settings)],
    [pidfile, () => checkPidfile(settings)],
    [cluster, () => checkEtcdFiles(settings)],
    [usage, () => dropPrivileges(settings, [])],
    [usage, () => checkHistory(settings)],
    [isClustered(settings) ? cluster : stateDirectory, () => checkState(settings)],
  ];
  const failures: StartFailure[] = [];
  for (const [exitCode, check] of checks) {
    const failure = await failureOf(exitCode, check);
    if (failure !== undefined) failures.push(failure);
  }
  return failures;
}

async function failureOf(exitCode: number, check: () => unknown): Promise<StartFailure | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    return new StartFailure(error instanceof SettingsError ? EXIT_CODES.usage : exitCode, (error as Error).message);
  }
}

function checkListeners(settings: Settings): void {
  planListeners(settings);
  planMonitoring(settings, false);
  if (isClustered(settings)) planForwarding(settings);
}

function checkSockets({ listeners }: Settings): void {
  for (const { enabled, path } of listeners) if (enabled && path !== undefined) requireUsablePath(path);
}

function checkPidfile({ pidfile }: Settings): void {
  if (pidfile === '') return;
  checkFolder('pidfile', pidfile, dirname(pidfile));
  requireUsablePidfile(pidfile);
}

function checkState(settings: Settings): void {
  const { stateDirectory: directory } = settings;
  if (directory === '') return;
  const isThere = statSync(directory, { throwIfNoEntry: false }) !== undefined;
  // The start makes the directory itself, but none above it.
  checkFolder('stateDirectory', directory, isThere ? directory : dirname(directory));
  if (isClustered(settings)) requireSoundKnowledge(directory);
  else requireSoundState(directory);
}

function checkHistory({ history: { enabled, directory } }: Settings): void {
  if (!enabled || directory === '') return;
  // The start makes all directories of the path that are not there.
  let folder = directory;
  while (statSync(folder, { throwIfNoEntry: false }) === undefined && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  checkFolder('history.directory', directory, folder);
}

/** @throws Error when files cannot be made in the folder. */
function checkFolder(field: string, path: string, folder: string): void {
  try {
    if (!statSync(folder).isDirectory()) throw new Error('it is no directory');
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`settings.${field} is ${JSON.stringify(path)}: ${(error as Error).message}`);
  }
}

/** Reads the files for etcd as the server does. */
async function checkEtcdFiles(settings: Settings): Promise<void> {
  if (!isClustered(settings)) return;
  const client = await openClient(settings);
  client.close();
}
