/** Handshakes with a WebSocket listener of a program. */

import { WebSocket } from 'ws';
import { whenTestEnds } from '../server/clean-up.ts';

/** The HTTP status of a handshake by a page that came from the server under this name. */
export function handshakeStatus(port: number, name: string): Promise<number> {
  const host = `${name}:${port}`;
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { Host: host }, origin: `http://${host}` });
  whenTestEnds(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode as number));
    socket.on('error', reject);
  });
}
