/** Plain sockets that tests accept, without any protocol. */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { whenTestEnds } from '../server/clean-up.ts';

/** Hands every connection to the test and returns the port. Closed with all its connections when the test ends. */
export async function listen(accept: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    accept(socket);
  });
  whenTestEnds(() => {
    for (const socket of sockets) socket.destroy();
  });
  return await portOf(server);
}

/** Has a server listen until the test ends, and returns its port. */
export async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  whenTestEnds(() => server.close());
  return (server.address() as AddressInfo).port;
}
