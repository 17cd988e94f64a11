/** Makes the history of a server program, from the settings. */

import { readEarlier } from '../history/earlier-records.ts';
import { HistoryFiles } from '../history/history-files.ts';
import { LockHistory } from '../history/lock-history.ts';
import { LongWaits } from '../history/long-waits.ts';
import type { Logger } from '../message/logger.ts';
import type { LockServerOptions } from '../server/lock-server-options.ts';
import { withAccount } from './privileges.ts';
import type { Settings } from './settings.ts';

/** The history of a server, or of all that a node of a cluster serves. */
export interface KeptHistory {
  /** What the server is told of it. */
  readonly options: Pick<LockServerOptions, 'observers' | 'history'>;
  readonly longWaits: LongWaits;
  /** Writes what is not written yet; resolves when that is done. */
  close(): Promise<void>;
}

/** Opens the files of the history, if there are any. Rejects with an Error that names the setting. */
export async function keepHistory(settings: Settings, logger: Logger): Promise<KeptHistory> {
  const { history, log } = settings;
  const files = history.enabled && history.directory !== '' ? await openFiles(settings, logger) : undefined;
  const kept = history.enabled ? new LockHistory({ ...keptBy(history), keeper: files }) : undefined;
  if (kept !== undefined && files !== undefined) void recall(kept, files, settings, logger);
  const longWaits = new LongWaits(log.waitsOver, logger);
  return {
    options: { observers: kept === undefined ? [longWaits] : [kept, longWaits], ...(kept && { history: kept }) },
    longWaits,
    close: async () => {
      longWaits.close();
      await files?.close();
    },
  };
}

/** Nobody waits for it, and the server serves without the records of earlier runs. */
async function recall(kept: LockHistory, files: HistoryFiles, settings: Settings, logger: Logger): Promise<void> {
  try {
    await readEarlier(files.earlierFiles, (record) => kept.addEarlier(record));
  } catch (error) {
    const { directory } = settings.history;
    logger.warn({ directory, why: (error as Error).message }, 'the history of earlier runs cannot be read');
  }
}

function keptBy({ maxRecords, minHeldMs, everything }: Settings['history']) {
  return { maxRecords, minHeldMs, everything };
}

/** They must belong to the user that the server becomes, since it must write them then. */
async function openFiles(settings: Settings, logger: Logger): Promise<HistoryFiles> {
  const { directory, maxFileBytes, maxFiles } = settings.history;
  try {
    return await withAccount(settings, async () => new HistoryFiles({ directory, maxFileBytes, maxFiles, logger }));
  } catch (error) {
    throw new Error(`settings.history.directory is ${JSON.stringify(directory)}: ${(error as Error).message}`);
  }
}
