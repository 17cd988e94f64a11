/** A lock server on WebSocket for a test, and handshakes written by hand. */

import type { LockServer } from '../../lib/server/lock-server.ts';
import type { LockServerOptions } from '../../lib/server/lock-server-options.ts';
import { type WebSocketListenerOptions, webSocket } from '../../lib/transports/websocket.ts';
import { LOOPBACK, makeServer, portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

/** The origin of a page that may connect. */
export const PAGE = 'https://intranet.example';

interface WebSocketScene {
  readonly server: LockServer;
  readonly port: number;
  readonly logger: RecordingLogger;
}

/** Starts a server that allows the origin `PAGE` and the host `locks.example`. */
export async function listenForWebSocket(
  given: Partial<WebSocketListenerOptions> = {},
  options: LockServerOptions = {},
): Promise<WebSocketScene> {
  const logger = new RecordingLogger();
  const server = makeServer({ logger, ...options });
  const pages = { origins: [PAGE], hosts: ['locks.example'], maxMessageBytes: 1_000 };
  const port = portOf(await server.listen(webSocket({ ...LOOPBACK, ...pages, ...given })));
  return { server, port, logger };
}

const HEADERS = {
  Host: 'localhost',
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** A handshake; undefined headers are left out, and lists are sent as several headers. */
export function handshake(
  headers: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  start = 'GET / HTTP/1.1',
): string {
  const lines = Object.entries({ ...HEADERS, ...headers }).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}\r\n`),
  );
  return `${start}\r\n${lines.join('')}\r\n`;
}
