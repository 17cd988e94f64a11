/** Hostile and unlucky clients of TLS, of WebSocket, and of pkLockServer's frames. */

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { type Kind, many, open } from './hostile-acts.ts';
import { Peer } from './hostile-peer.ts';
import { isShort } from './program.ts';

const CONTINUATION = 0x0;
const TEXT = 0x1;
const PING = 0x9;
const FINAL = 0x80;
const MASKED = 0x80;
const TWO_BYTE_LENGTH = 126;
const EIGHT_BYTE_LENGTH = 127;
const MAX_SHORT_LENGTH = 125;
const MAX_TWO_BYTE_LENGTH = 65_535;
const HANDSHAKE = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Extensions: permessage-deflate',
];

async function openWebSockets(port: number, count: number): Promise<Peer[]> {
  const peers = await open(port, count);
  for (const { socket } of peers) socket.write(`${HANDSHAKE.join('\r\n')}\r\n\r\n`);
  await Promise.all(peers.map((peer) => peer.received('\r\n\r\n')));
  return peers;
}

/** A frame of WebSocket, masked with zeros. */
function frame(payload: string | Buffer, opcode: number = TEXT, final: number = FINAL): Buffer {
  const bytes = Buffer.from(payload as string);
  const { length } = bytes;
  const first = final | opcode;
  if (length <= MAX_SHORT_LENGTH) return Buffer.concat([Buffer.from([first, MASKED | length, 0, 0, 0, 0]), bytes]);
  const isShorter = length <= MAX_TWO_BYTE_LENGTH;
  const header = Buffer.alloc(isShorter ? 8 : 14);
  header.set([first, MASKED | (isShorter ? TWO_BYTE_LENGTH : EIGHT_BYTE_LENGTH)]);
  if (isShorter) header.writeUInt16BE(length, 2);
  else header.writeUInt32BE(length, 6);
  return Buffer.concat([header, bytes]);
}

function repeated(bytes: Buffer, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

/** A message of pkLockServer: its length, then JSON. */
function prefixed(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(body.length);
  return Buffer.concat([prefix, body]);
}

const LAST = { command: 'ping', id: 'last' };
const LAST_ANSWER = '"last"';
/** With these, pkLockServer's server answers. */
const LAST_UNLOCK = { command: 'unlock', lockName: 'last' };

/** The first bytes of a client of TLS, without the work of making them for each connection. */
async function recordHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectTls({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }).on('error', () => {});
  const [socket] = await once(server, 'connection');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

async function openTls(port: number, count: number): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (let number = 0; number < count; number += 1) {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    peers.push(new Peer(socket));
  }
  return peers;
}

/** Kinds with TLS do nothing where there is none. */
function withTls(kind: (port: number) => ReturnType<Kind>): Kind {
  return async (_port, { tls }) => (tls === undefined ? async () => {} : await kind(tls));
}

export const FRAME_KINDS: Readonly<Record<string, Kind>> = {
  'small frames': async (_port, { webSocket }) => {
    const peers = await openWebSockets(webSocket, 100);
    const bytes = repeated(frame('{"command":"ping","id":1}'), many(20_000));
    return async () => {
      for (const { socket } of peers) socket.write(Buffer.concat([bytes, frame(JSON.stringify(LAST))]));
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
    };
  },
  'frames that are no messages': async (_port, { webSocket }) => {
    const peers = await openWebSockets(webSocket, 100);
    const bytes = repeated(frame('{'), many(5_000));
    return async () => {
      for (const { socket } of peers) socket.write(Buffer.concat([bytes, frame(JSON.stringify(LAST))]));
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
    };
  },
  'empty frames': async (_port, { webSocket }) => {
    const peers = await openWebSockets(webSocket, 100);
    const bytes = Buffer.concat([frame(JSON.stringify(LAST)), repeated(frame(''), many(200_000))]);
    return async () => {
      for (const { socket } of peers) socket.write(bytes);
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
      await setTimeout(isShort ? 100 : 3_000);
    };
  },
  /** Each is answered by as many bytes. */
  'pings that are answered': async (_port, { webSocket }) => {
    const peers = await openWebSockets(webSocket, 100);
    const bytes = repeated(frame('p'.repeat(MAX_SHORT_LENGTH), PING), many(10_000));
    return async () => {
      for (const { socket } of peers) socket.write(Buffer.concat([bytes, frame(JSON.stringify(LAST))]));
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
    };
  },
  'pings whose answers nobody reads': async (_port, { webSocket }) => {
    const peers = await openWebSockets(webSocket, 100);
    const bytes = repeated(frame('p'.repeat(MAX_SHORT_LENGTH), PING), many(200_000));
    for (const { socket } of peers) socket.pause();
    return async () => {
      for (const { socket } of peers) socket.write(bytes);
      await setTimeout(isShort ? 100 : 8_000);
    };
  },
  /** Messages in very many fragments that never end. */
  fragments: async (_port, { webSocket }) => {
    const peers = await openWebSockets(webSocket, many(400));
    const bytes = Buffer.concat([frame('{', TEXT, 0), repeated(frame(' ', CONTINUATION, 0), many(16_000))]);
    return async () => {
      for (const { socket } of peers) socket.write(bytes);
      await setTimeout(isShort ? 100 : 5_000);
    };
  },
  'long frames': async (_port, { webSocket }) => {
    const peers = await openWebSockets(webSocket, 20);
    const long = frame(`{"command":"ping","id":1}${'\n'.repeat(1_000_000)}`);
    return async () => {
      for (const { socket } of peers) socket.write(Buffer.concat([long, long, long, frame(JSON.stringify(LAST))]));
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
    };
  },
  'upgrades at the same time':
    async (_port, { webSocket }) =>
    async () => {
      for (let round = 0; round < many(10); round += 1) {
        for (const peer of await openWebSockets(webSocket, 300)) peer.socket.destroy();
      }
    },
  /** The server does the most expensive part of a handshake for the bytes of one that was recorded. */
  'TLS handshakes': withTls(async (tls) => {
    const hello = await recordHello();
    const peers = await open(tls, many(1_000));
    return async () => {
      for (const { socket } of peers) socket.write(hello);
      await Promise.all(peers.map((peer) => once(peer.socket, 'data')));
    };
  }),
  'small TLS records': withTls(async (tls) => {
    const peers = await openTls(tls, 50);
    return async () => {
      for (const { socket } of peers) {
        socket.setNoDelay(true);
        for (let index = 0; index < many(3_000); index += 1) socket.write(' ');
        socket.write(`${JSON.stringify(LAST)}\n`);
      }
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
    };
  }),
  'TLS with many messages': withTls(async (tls) => {
    const peers = await openTls(tls, 50);
    const bytes = Buffer.from(`${'{"command":"ping","id":1}\n'.repeat(many(20_000))}${JSON.stringify(LAST)}\n`);
    return async () => {
      for (const { socket } of peers) socket.write(bytes);
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
    };
  }),
  'small prefixed frames': async (port) => {
    const peers = await open(port, 100);
    const bytes = repeated(prefixed({ command: 'unlock', lockName: 1 }), many(20_000));
    return async () => {
      for (const { socket } of peers) socket.write(Buffer.concat([bytes, prefixed(LAST_UNLOCK)]));
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
    };
  },
  /** The answer repeats the name, each of whose characters has to be escaped. */
  'prefixed names to escape': async (port) => {
    const peers = await open(port, 10);
    const long = prefixed({ command: 'unlock', lockName: '\u007f'.repeat(1_000_000) });
    return async () => {
      for (const { socket } of peers) socket.write(Buffer.concat([long, prefixed(LAST_UNLOCK)]));
      await Promise.all(peers.map((peer) => peer.received(LAST_ANSWER)));
    };
  },
  /** Each answer that is to come repeats an id of a MiB. */
  'prefixed waits with long ids': async (port) => {
    const peers = await open(port, many(20));
    const first = prefixed({ command: 'lock', id: 0, parameters: { lockName: 'hot' } });
    const long = prefixed({ command: 'lock', id: 'i'.repeat(1_000_000), parameters: { lockName: 'hot' } });
    return async () => {
      for (const { socket } of peers) {
        socket.write(first);
        for (let index = 0; index < many(100); index += 1) socket.write(long);
      }
      await setTimeout(isShort ? 100 : 8_000);
    };
  },
  'prefixed bytes one by one': async (port) => {
    const peers = await open(port, 50);
    const bytes = Buffer.concat([
      prefixed({ command: 'lock', padding: ' '.repeat(many(2_000)) }),
      prefixed(LAST_UNLOCK),
    ]);
    return async () => {
      const sendSlowly = async (peer: Peer): Promise<void> => {
        for (const byte of bytes) await new Promise((resolve) => peer.socket.write(Buffer.from([byte]), resolve));
        await peer.received(LAST_ANSWER);
      };
      await Promise.all(peers.map(sendSlowly));
    };
  },
};
