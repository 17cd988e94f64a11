/** What a WebSocket listener of a program answers. */

import { WebSocket } from 'ws';
import { whenTestEnds } from '../server/clean-up.ts';

/** What a page is answered that came from the server by that name. */
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
