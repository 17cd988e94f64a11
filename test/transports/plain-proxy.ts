/** A proxy that passes bytes on behind a header. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { whenTestEnds } from '../server/clean-up.ts';

/** The header comes in one piece with the first bytes of the client, before them, or byte by byte like them. */
type HeaderWay = 'glued' | 'apart' | 'bytes';

/** Ends with the test. */
export class PlainProxy {
  readonly port: number;

  /** Passes on to a port of this machine. */
  static async start(target: number, header: Uint8Array, way: HeaderWay): Promise<PlainProxy> {
    const server = createServer((client) => void pass(client, target, header, way));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    whenTestEnds(() => server.close());
    return new PlainProxy((server.address() as AddressInfo).port);
  }

  private constructor(port: number) {
    this.port = port;
  }
}

async function pass(client: Socket, target: number, header: Uint8Array, way: HeaderWay): Promise<void> {
  const server = connect({ host: '127.0.0.1', port: target, noDelay: true });
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => {}).on('close', () => other.destroy());
    whenTestEnds(() => one.destroy());
  }
  await once(server, 'connect');
  if (way === 'apart') server.write(header);
  const [first] = (await once(client, 'data')) as [Buffer];
  client.pause();
  if (way === 'glued') server.write(Buffer.concat([header, first]));
  if (way === 'apart') server.write(first);
  if (way === 'bytes') await writeBytes(server, Buffer.concat([header, first]));
  client.pipe(server);
  server.pipe(client);
}

/** Lets the other side read between any two bytes. */
async function writeBytes(socket: Socket, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
    await nextTurn();
  }
}
