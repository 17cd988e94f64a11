/** A TCP proxy that loses the server's first answer, and the connection with it. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { whenTestEnds } from '../server/clean-up.ts';

/** How the connection ends: `reset` is an error for the client, `close` an end. */
export type Ending = 'reset' | 'close';

/** Starts one, until the test ends, and returns its port. Connections after the first are let through. */
export async function startAnswerLosingProxy(serverPort: number, ending: Ending): Promise<number> {
  let isFirst = true;
  const sockets = new Set<Socket>();
  const proxy: Server = createServer((client) => {
    const server = connect({ host: '127.0.0.1', port: serverPort });
    const loses = isFirst;
    isFirst = false;
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('close', () => server.destroy());
    client.pipe(server);
    if (!loses) server.pipe(client);
    else server.once('data', () => (ending === 'reset' ? client.resetAndDestroy() : client.destroy()));
  });
  await new Promise<void>((resolve) => {
    proxy.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  whenTestEnds(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      proxy.close(resolve);
    });
  });
  return (proxy.address() as AddressInfo).port;
}
