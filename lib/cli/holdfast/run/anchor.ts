/** A second connection of the session, for the command to inherit: see docs/protocol.md, Anchors. */

import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { serverPlaces } from '../../../client/server-places.ts';
import type { SessionKey } from '../../../client/session-life.ts';
import type { Place } from '../place.ts';

const TIMEOUT_MS = 5_000;
/** The answer describes the server and its limits. */
const MAX_ANSWER_CHARACTERS = 65_536;
const PROTOCOL = 1;
const HOST_AND_PORT = /^\[?(.*?)\]?:(\d+)$/;

/**
 * Resolves to a socket that nothing more comes from, or to why there is none: only a plain socket can be handed on. Of several
 * servers the first that has the session counts.
 */
export async function openAnchor({ servers, tls }: Place, key: SessionKey): Promise<Socket | string> {
  if (tls !== undefined) return 'over TLS a command cannot inherit a connection';
  let why = '';
  for (const server of servers) {
    if (/^wss?:/i.test(server)) return 'over WebSocket a command cannot inherit a connection';
    try {
      return await openAt(server, key);
    } catch (error) {
      why = (error as Error).message;
    }
  }
  return `the server gave no anchor: ${why}`;
}

async function openAt(server: string, { id, secret }: SessionKey): Promise<Socket> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const socket = connect({ ...addressOf(server), keepAlive: true, keepAliveInitialDelay: 10_000 } as NetConnectOpts);
  try {
    await once(socket, 'connect', { signal });
    const parameters = { protocol: PROTOCOL, session: { id, secret, anchor: true } };
    socket.write(`${JSON.stringify({ command: 'hello', parameters, id: 1 })}\n`);
    const { result } = JSON.parse(await readLine(socket, signal));
    if (result?.session?.state !== 'anchored') throw new Error(String(result?.message ?? result?.status));
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Reads on in no case: what comes later is for whoever inherits the socket. */
async function readLine(socket: Socket, signal: AbortSignal): Promise<string> {
  socket.setEncoding('utf8');
  let text = '';
  while (!text.includes('\n')) {
    const [part] = (await once(socket, 'data', { signal })) as [string];
    text += part;
    if (text.length > MAX_ANSWER_CHARACTERS) throw new Error('the answer is too long');
  }
  socket.pause();
  return text;
}

function addressOf(server: string): NetConnectOpts {
  if (server.startsWith('unix:')) return { path: server.slice('unix:'.length) };
  // The same check as that of the client.
  serverPlaces([server], undefined);
  const [, host = '', port] = HOST_AND_PORT.exec(server) ?? [];
  return { host, port: Number(port) };
}
