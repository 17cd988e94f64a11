/** A Redis in a process of its own, which keeps nothing on disk. */

import { type ForeignServer, findProgram, freePort, makeDataFolder, startForeignServer } from './foreign-server.ts';

/** Starts it and waits until it is ready; undefined where `redis-server` is not installed. */
export async function startRedis(...args: readonly string[]): Promise<ForeignServer | undefined> {
  const path = findProgram('redis-server');
  if (path === undefined) return undefined;
  const port = await freePort();
  const folder = makeDataFolder();
  const own = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', '--appendonly', 'no'];
  return await startForeignServer({
    path,
    arguments: [...own, ...args],
    port,
    folder,
    ready: /Ready to accept connections/,
  });
}
