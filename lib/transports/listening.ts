/** Binding a server of the system, whatever its kind. */

import type { ListenOptions, Server } from 'node:net';
import type { ListenerEvents } from '../message/byte-stream.ts';

/** Resolves once the server listens; rejects with the system's error. What goes wrong afterwards is an event. */
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
