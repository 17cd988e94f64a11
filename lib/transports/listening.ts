/** Binds a TCP or Unix server, and closes connections that are not served. */

import type { ListenOptions, Server, Socket } from 'node:net';
import type { ListenerEvents } from '../message/byte-stream.ts';

/** Resolves once the server listens; rejects with the system's error. Reports later errors to `events.failed`. */
export function bind(server: Server, options: ListenOptions, events: ListenerEvents): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      server.on('error', (error) => events.failed(error));
      resolve();
    });
  });
}

/** Closes a connection and ignores its errors. */
export function turnAway(socket: Socket): void {
  socket.on('error', () => {});
  socket.destroy();
}
