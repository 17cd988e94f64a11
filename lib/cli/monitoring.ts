/** Opens the listener for the status page, the metrics and the health checks, from the settings. */

import { Durations } from '../http/durations.ts';
import type { Monitored } from '../http/monitored.ts';
import type { Monitoring } from '../http/monitoring.ts';
import type { NameGroup } from '../http/name-groups.ts';
import type { Logger } from '../message/logger.ts';
import { QuietLog } from '../message/quiet-log.ts';
import { Refusals } from '../message/refusals.ts';
import { AllowList, canonicalAddress } from '../transports/allow-list.ts';
import { parseListedHost } from '../transports/page-access.ts';
import { checkHost } from './listeners.ts';
import { type Settings, SettingsError } from './settings.ts';
import { DEFAULT_HTTP_PORT } from './settings-schema.ts';

/** Who may ask, by which names, and what the metrics tell together. */
interface MonitoringAccess {
  readonly allowed: AllowList;
  readonly hosts: readonly string[];
  readonly groups: readonly NameGroup[];
}

/** The listener, once it is known what it tells about. */
export interface PlannedMonitoring {
  /** Must observe the servers. */
  readonly durations: Durations;
  /** What of it may change while it is open. */
  readonly access: MonitoringAccess;
  /** Makes other settings of that hold. */
  change(access: MonitoringAccess): void;
  /**
   * Listens; resolves to what can be closed. Rejects with the system's error when it cannot listen at a port that was asked for; when the
   * default port is taken, logs that and resolves to undefined.
   */
  open(monitored: () => Monitored, logger: Logger): Promise<Monitoring | undefined>;
}

/**
 * Reads what the settings say of it; undefined when it is switched off. The default port is not opened beside `port: "auto"`: who lets the
 * system choose wants to start several servers.
 * @throws SettingsError when an address or a name is invalid.
 */
export function planMonitoring(settings: Settings, isPortGiven: boolean): PlannedMonitoring | undefined {
  const { http, metrics, port } = settings;
  const allowed = allowListOf(
    http.allowed ?? settings.allowed,
    http.allowed === undefined ? 'allowed' : 'http.allowed',
  );
  const hosts = http.hosts.map((name, index) => hostOf(name, `settings.http.hosts[${index}]`));
  const isAskedFor = isPortGiven || http.port !== DEFAULT_HTTP_PORT;
  if (http.port === 0 || (port === 'auto' && !isAskedFor)) return undefined;
  const { host, maxConnections } = http;
  checkHost(host, 'settings.http.host');
  const where = { host, port: http.port === 'auto' ? 0 : http.port, maxConnections };
  const durations = new Durations();
  let access: MonitoringAccess = { allowed, hosts, groups: metrics.groups };
  let opened: Monitoring | undefined;
  return {
    durations,
    access,
    change: (changed) => {
      access = changed;
      opened?.change(changed);
    },
    open: async (monitored, logger) => {
      // Only now, since a server without it need not load it.
      const { Monitoring: Made } = await import('../http/monitoring.ts');
      const refusals = new Refusals(new QuietLog(logger), []);
      const monitoring = new Made({
        ...where,
        hosts: access.hosts,
        monitored,
        groups: access.groups,
        durations,
        isAllowed: (address) => access.allowed.allows(address),
        refused: (refusal) =>
          refusals.add({ ...refusal, address: canonicalAddress(refusal.address), refused: 'an HTTP request' }),
        failed: (error, path) => logger.error({ err: error, path }, 'an HTTP request failed'),
      });
      try {
        const url = await monitoring.listen();
        logger.info({ url }, `status page and metrics at ${url}`);
        opened = monitoring;
        return monitoring;
      } catch (error) {
        if (isAskedFor || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        logger.warn({ host, port: http.port }, BUSY);
        return undefined;
      }
    },
  };
}

const BUSY =
  'there is no status page and are no metrics, since another process listens on the default port; ' +
  'choose another with --http or "http.port", or switch them off with 0';

function allowListOf(entries: readonly string[], field: string): AllowList {
  try {
    return new AllowList(entries);
  } catch (error) {
    throw new SettingsError(`settings.${field}: ${(error as Error).message}`);
  }
}

function hostOf(name: string, field: string): string {
  try {
    return parseListedHost(name);
  } catch (error) {
    throw new SettingsError(`${field}: ${(error as Error).message}`);
  }
}
