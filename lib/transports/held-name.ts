/** Names that only one process on the machine can hold at a time. */

import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname } from 'node:path';

/** A name that this process holds. */
export interface HeldName {
  /** Releases the name. The end of the process releases it too. */
  release(): void;
}

/**
 * Holds a name made from the purpose and the file, whatever path leads to the file's folder. The name is a Unix socket
 * in the abstract name space of Linux; on other systems this resolves to undefined. Rejects with `EADDRINUSE` when
 * another process holds the name.
 */
export function holdName(purpose: string, file: string): Promise<HeldName | undefined> {
  if (process.platform !== 'linux') return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    // Exclusive, since workers of node:cluster would otherwise share the name.
    server.listen({ path: abstractName(purpose, file), exclusive: true }, () => {
      server.unref();
      resolve({ release: () => server.close() });
    });
  });
}

/** A hash has the same length for every file. The system would cut off a longer name. */
function abstractName(purpose: string, file: string): string {
  const folder = statSync(dirname(file));
  const place = createHash('sha256')
    .update(`${folder.dev} ${folder.ino} ${basename(file)}`)
    .digest('hex');
  return `\0holdfast-${purpose}-${place}`;
}
