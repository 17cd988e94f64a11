/** Names that only one process of the machine can have at a time. */

import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname } from 'node:path';

/** A name that this process has. */
export interface HeldName {
  /** Gives the name up; the end of the process does, too. */
  release(): void;
}

/**
 * Holds a name made of the purpose and the file, under whatever path its folder is reached: a Unix socket in the abstract
 * name space. Resolves to undefined where there is none, which is everywhere but on Linux. Rejects with `EADDRINUSE` when
 * another has the name.
 */
export function holdName(purpose: string, file: string): Promise<HeldName | undefined> {
  if (process.platform !== 'linux') return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    // Exclusively: workers of node:cluster would share the name.
    server.listen({ path: abstractName(purpose, file), exclusive: true }, () => {
      server.unref();
      resolve({ release: () => server.close() });
    });
  });
}

/** As long for every file: what does not fit into an address would be cut off. */
function abstractName(purpose: string, file: string): string {
  const folder = statSync(dirname(file));
  const place = createHash('sha256')
    .update(`${folder.dev} ${folder.ino} ${basename(file)}`)
    .digest('hex');
  return `\0holdfast-${purpose}-${place}`;
}
