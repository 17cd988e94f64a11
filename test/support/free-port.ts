/** A port that nobody uses, for programs that cannot choose one themselves, and to be refused at. */

import { createServer } from 'node:net';

/** Below those that systems give to whoever does not ask for one (from 32,768 on Linux), as other tests do meanwhile. */
const FIRST_PORT = 20_000;
const PORT_COUNT = 12_000;

/** One at which nobody listens on any address. */
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
