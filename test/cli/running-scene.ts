/** A server in the process of the test that reads a settings file again, as the program does on SIGHUP. */

import { keepHistory } from '../../lib/cli/keep-history.ts';
import { planListeners } from '../../lib/cli/listeners.ts';
import { planMonitoring } from '../../lib/cli/monitoring.ts';
import { RunningSettings } from '../../lib/cli/running-settings.ts';
import { parseCommandLine, readSettings } from '../../lib/cli/server-command-line.ts';
import { FullLockServer } from '../../lib/foreign/full-lock-server.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

class LeveledLogger extends RecordingLogger {
  level = 'info';
}

export interface RunningScene {
  readonly running: RunningSettings;
  /** Of the listeners, in their order. */
  readonly ports: readonly number[];
  /** Of the status page; empty without one. */
  readonly url: string;
  readonly log: LeveledLogger;
}

/** Starts it with the settings of the file; it is closed when the test ends. */
export async function startRunning(file: string): Promise<RunningScene> {
  const readAgain = () => readSettings(parseCommandLine(['--config', file]), {});
  const { settings } = readAgain();
  const log = new LeveledLogger();
  const history = await keepHistory(settings, log);
  const limits = { ...settings.limits, maxTableBytes: 2 ** 30, totalOutputBytes: 2 ** 30, totalInputBytes: 2 ** 30 };
  const monitoring = planMonitoring(settings, false);
  const server = new FullLockServer({ limits, logger: log, ...history.options });
  const listeners = planListeners(settings);
  const opened = await monitoring?.open(() => ({ role: 'single', monitor: server.monitor }), log);
  whenTestEnds(async () => {
    await opened?.close();
    await server.close();
    await history.close();
  });
  const ports: number[] = [];
  for (const { listener, options } of listeners) ports.push(portOf(await server.listen(listener, options)));
  const running = new RunningSettings(settings, readAgain, {
    listeners,
    monitoring,
    isHttpPortGiven: false,
    longWaits: history.longWaits,
    changeLimits: ({ limits: changed }) => server.changeLimits({ ...limits, maxLocks: changed.maxLocks }),
    logger: log,
  });
  const url = log.entries.map(({ details }) => details.url).find((each) => each !== undefined);
  return { running, ports, url: String(url ?? ''), log };
}
