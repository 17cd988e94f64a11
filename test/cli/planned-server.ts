/** Servers in the process of the test, with the listeners of settings. */

import { planListeners } from '../../lib/cli/listeners.ts';
import type { Settings } from '../../lib/cli/settings.ts';
import { makeServer, portOf } from '../server/running-server.ts';

/** The addresses where a server listens, and the ports of those that have one, in their order. */
export interface PlannedServer {
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
}

/** Starts a server with the listeners of the settings; it is closed when the test ends. */
export async function openPlanned(settings: Settings): Promise<PlannedServer> {
  const { dump, registry, forceUnlock } = settings;
  const server = makeServer({ dump, registry, forceUnlock });
  const addresses: string[] = [];
  for (const { listener, options } of planListeners(settings)) addresses.push(await server.listen(listener, options));
  return { addresses, ports: addresses.map(portOf).filter((port) => port > 0) };
}
