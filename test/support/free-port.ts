/** Unused ports, for programs that cannot choose one themselves, and for refused connections. */

import { createServer } from 'node:net';

/** Below the ports that the system chooses for other tests (from 32,768 on Linux). */
const FIRST_PORT = 20_000;
const PORT_COUNT = 12_000;

/** A port without a listener on any address. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORT_COUNT);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
