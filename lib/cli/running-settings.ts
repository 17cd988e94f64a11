/** The settings of a server that runs: read again on SIGHUP, all or nothing. What cannot change until a restart stays, and the log says so. */

import type { LongWaits } from '../history/long-waits.ts';
import type { Logger } from '../message/logger.ts';
import { show } from '../message/show.ts';
import { isClustered } from './cluster-settings.ts';
import { type PlannedListener, planForwarding, planListeners } from './listeners.ts';
import { type PlannedMonitoring, planMonitoring } from './monitoring.ts';
import type { ReadSettings } from './server-command-line.ts';
import { inSource, type Settings } from './settings.ts';
import { findChanges, type SettingChange, withApplied } from './settings-changes.ts';

/** The parts of a server that take up other settings. */
export interface ChangingParts {
  /** In a cluster, the last one is that to which other servers forward connections. */
  readonly listeners: readonly PlannedListener[];
  readonly monitoring: PlannedMonitoring | undefined;
  readonly isHttpPortGiven: boolean;
  readonly longWaits: LongWaits;
  /** Does nothing in a cluster, where limits need a restart. */
  readonly changeLimits: (settings: Settings) => void;
  readonly logger: Logger & { level: string };
}

/** What settings make of a server. */
type Planned = Pick<ChangingParts, 'listeners' | 'monitoring'>;

/** Changes that were checked. */
interface Prepared {
  readonly settings: Settings;
  readonly changes: readonly SettingChange[];
  /** Places whose certificates were read. */
  readonly certificates: readonly string[];
  /** What makes them hold; it does not fail. */
  readonly steps: readonly (() => void)[];
}

export class RunningSettings {
  /** Those that hold now. */
  current: Settings;
  readonly #readAgain: () => Pick<ReadSettings, 'settings' | 'source'>;
  readonly #parts: ChangingParts;

  /** `readAgain` throws a `SettingsError` when a setting is wrong. */
  constructor(settings: Settings, readAgain: () => Pick<ReadSettings, 'settings' | 'source'>, parts: ChangingParts) {
    this.current = settings;
    this.#readAgain = readAgain;
    this.#parts = parts;
  }

  /** Reads the settings and the certificates again. If something is wrong with them, nothing changes. Tells the log of all. */
  reload(): void {
    const { logger } = this.#parts;
    let prepared: Prepared;
    try {
      prepared = this.#prepare();
    } catch (error) {
      const why = (error as Error).message;
      logger.error({ why }, `the settings cannot be read again, so nothing has changed: ${why}`);
      return;
    }
    for (const step of prepared.steps) step();
    this.current = prepared.settings;
    this.#tell(prepared);
  }

  #prepare(): Prepared {
    const { settings: next, source } = this.#readAgain();
    return inSource(source, () => {
      // All of it, since it must be right for the next start, too.
      plan(next, this.#parts);
      const changes = findChanges(this.current, next);
      const settings = withApplied(this.current, changes);
      const planned = plan(settings, this.#parts);
      const certificates = planned.listeners.filter(({ changing }) => changing?.access.tls).map(({ place }) => place);
      return { settings, changes, certificates, steps: this.#steps(settings, planned) };
    });
  }

  /** The settings differ from the current ones only in what can change, so they make the same listeners. */
  #steps(settings: Settings, planned: Planned): readonly (() => void)[] {
    const { listeners, monitoring, longWaits, changeLimits, logger } = this.#parts;
    const prepared = listeners.flatMap(({ changing }, index) => {
      const access = planned.listeners[index]?.changing?.access;
      return changing && access ? [changing.listener.prepare(access)] : [];
    });
    const { waitsOver } = settings.log;
    return [
      ...prepared,
      () => planned.monitoring && monitoring?.change(planned.monitoring.access),
      () => waitsOver !== this.current.log.waitsOver && longWaits.change(waitsOver),
      () => changeLimits(settings),
      () => {
        logger.level = logLevel(settings);
      },
    ];
  }

  #tell({ changes, certificates }: Prepared): void {
    const { logger } = this.#parts;
    for (const place of certificates) logger.info({ place }, 'read the certificates again');
    for (const { path, was, is, isApplied } of changes) {
      const details = { setting: path, was, is };
      if (isApplied) logger.info(details, `settings.${path} is ${showSetting(is)} now; it was ${showSetting(was)}`);
      else
        logger.warn(
          details,
          `settings.${path} needs a restart to become ${showSetting(is)}; it is still ${showSetting(was)}`,
        );
    }
    const changed = changes.filter(({ isApplied }) => isApplied).length;
    const needRestart = changes.length - changed;
    logger.info({ changed, needRestart }, `read the settings again: ${changed} changed, ${needRestart} need a restart`);
  }
}

/** As at the start. @throws SettingsError when something is wrong. */
function plan(settings: Settings, { isHttpPortGiven }: ChangingParts): Planned {
  const forwarding = isClustered(settings) ? [planForwarding(settings)] : [];
  return {
    listeners: [...planListeners(settings), ...forwarding],
    monitoring: planMonitoring(settings, isHttpPortGiven),
  };
}

function showSetting(value: unknown): string {
  return value === undefined ? 'not set' : show(value);
}

/** What is logged. */
export function logLevel({ verbose }: Settings): 'debug' | 'info' {
  return verbose ? 'debug' : 'info';
}
