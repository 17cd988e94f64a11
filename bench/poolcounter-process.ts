/** MediaWiki's PoolCounter in a process of its own. */

import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type ForeignServer, findProgram, makeDataFolder, startForeignServer } from './foreign-server.ts';

/** It cannot be told another one. */
const PORT = 7_531;
const RETRY_MS = 10;
const TRIES = 300;

/** Where it listens: an address of its own, since its port is fixed. */
export interface PoolCounter extends ForeignServer {
  readonly host: string;
}

/** Starts it and waits until it listens; undefined where `poolcounterd` is not installed. */
export async function startPoolCounter(): Promise<PoolCounter | undefined> {
  const program = findProgram('poolcounterd');
  if (program === undefined) return undefined;
  const host = `127.53.${(process.pid >> 8) & 255}.${1 + (process.pid % 254)}`;
  const server = await startForeignServer({
    path: '/bin/sh',
    // It says nothing itself.
    arguments: ['-c', 'echo starting && exec "$0" -l "$1"', program, host],
    port: PORT,
    folder: makeDataFolder(),
    ready: /starting/,
  });
  for (let tries = 0; !(await isListening(host)); tries += 1) {
    if (tries === TRIES) throw new Error('poolcounterd does not listen');
    await pause(RETRY_MS);
  }
  return { ...server, host };
}

function isListening(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: PORT });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
