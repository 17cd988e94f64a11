/** The runs of the server program that move what a server keeps into a cluster or out of it, and end. */

import { pino } from 'pino';
import { exportDirectory, importDirectory } from '../cluster/moving.ts';
import { LedgerError } from '../ledger/ledger-error.ts';
import { openClient } from './cluster.ts';
import { isClustered } from './cluster-settings.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { withAccount } from './privileges.ts';
import { type Settings, SettingsError } from './settings.ts';
import { StartFailure } from './start-failure.ts';
import { ledgerReport } from './state.ts';

const STDERR = 2;

/** Moves in one of the two directions, and prints what it did. Rejects with a `StartFailure` or a `SettingsError`. */
export async function move(settings: Settings, importFrom?: string, exportTo?: string): Promise<void> {
  const directory = importFrom ?? exportTo;
  if (directory === undefined || (importFrom !== undefined && exportTo !== undefined)) {
    throw new StartFailure(EXIT_CODES.usage, '--cluster-import and --cluster-export are given; expected one of them');
  }
  if (!isClustered(settings)) {
    throw new StartFailure(EXIT_CODES.usage, 'settings.cluster.etcd is empty; expected the URLs of etcd');
  }
  const moveDirectory = importFrom === undefined ? exportDirectory : importDirectory;
  try {
    process.stdout.write(`${await moveWith(settings, directory, moveDirectory)}\n`);
  } catch (error) {
    if (error instanceof StartFailure || error instanceof SettingsError) throw error;
    const isOfDirectory = error instanceof LedgerError;
    throw new StartFailure(isOfDirectory ? EXIT_CODES.stateDirectory : EXIT_CODES.cluster, (error as Error).message);
  }
}

async function moveWith(settings: Settings, directory: string, moveDirectory: typeof importDirectory): Promise<string> {
  const client = await openClient(settings).catch(refuse);
  const { prefix } = settings.cluster;
  const report = ledgerReport(pino(pino.destination({ fd: STDERR, sync: true })));
  try {
    // The files must belong to the user that the server becomes.
    return await withAccount(settings, () => moveDirectory({ client, prefix, directory, nowMs: Date.now(), report }));
  } finally {
    client.close();
  }
}

function refuse(error: Error): never {
  throw error instanceof SettingsError ? error : new StartFailure(EXIT_CODES.cluster, error.message);
}
