/** A Postgres in a process of its own, with a new cluster and its settings as they come but for the number of connections. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type ForeignServer,
  findProgram,
  freePort,
  makeDataFolder,
  type SystemUser,
  startForeignServer,
} from './foreign-server.ts';

/** Debian has each version in a folder of its own, and not in the PATH. */
const VERSIONS = '/usr/lib/postgresql';
/** A pool of 100 and a few more; 100 altogether is what it comes with. */
const MAX_CONNECTIONS = 200;

/** Starts it and waits until it is ready, for the user `postgres` without a password; undefined where it is not installed. */
export async function startPostgres(): Promise<ForeignServer | undefined> {
  const path = findPostgres();
  if (path === undefined) return undefined;
  const user = userToRunAs();
  const port = await freePort();
  const folder = makeDataFolder(user);
  // Only the making of the cluster goes without waiting for the disk.
  const options = ['-D', folder, '-U', 'postgres', '--auth', 'trust', '--no-sync', '--no-instructions'];
  execFileSync(join(dirname(path), 'initdb'), options, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    ...user,
  });
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', `max_connections=${MAX_CONNECTIONS}`];
  return await startForeignServer({
    path,
    arguments: ['-D', folder, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    port,
    folder,
    ready: /database system is ready to accept connections/,
    // Ends the sessions that are open.
    stopSignal: 'SIGINT',
    user,
  });
}

function findPostgres(): string | undefined {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS) : [];
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a));
  const paths = newestFirst.map((version) => join(VERSIONS, version, 'bin', 'postgres'));
  return paths.find((path) => existsSync(path)) ?? findProgram('postgres');
}

/** Postgres refuses to run as root; its package brings a user. */
function userToRunAs(): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  if (entry === null) throw new Error('there is no user postgres; expected one, since Postgres does not run as root');
  return { uid: Number(entry[1]), gid: Number(entry[2]) };
}
