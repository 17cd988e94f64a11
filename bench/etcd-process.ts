/** One etcd in a process of its own, a cluster of one member that syncs to disk as it does by default. */

import { type ForeignServer, findProgram, freePort, makeDataFolder, startForeignServer } from './foreign-server.ts';

/** Starts it and waits until it is ready; undefined where `etcd` is not installed. */
export async function startEtcd(): Promise<ForeignServer | undefined> {
  const path = findProgram('etcd');
  if (path === undefined) return undefined;
  const [port, peerPort] = [await freePort(), await freePort()];
  const folder = makeDataFolder();
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const options = {
    'data-dir': folder,
    name: 'bench',
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `bench=${peer}`,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return await startForeignServer({
    path,
    arguments: args,
    port,
    folder,
    ready: /ready to serve client requests|serving insecure client requests/,
  });
}
