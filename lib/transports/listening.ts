/** Binds a TCP or Unix server. */

import type { ListenOptions, Server } from 'node:net';
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
