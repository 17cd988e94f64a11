/** A lock server on WebSocket for a test, and handshakes written by hand. */

import type { LockServer, LockServerOptions } from '../../lib/server/lock-server.ts';
import { type WebSocketListenerOptions, webSocket } from '../../lib/transports/websocket.ts';
import { makeServer } from '../protocols/transports.ts';
import { portOf } from '../server/running-server.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

/** A page that may connect. */
export const PAGE = 'https://intranet.example';

export interface WebSocketScene {
  readonly server: LockServer;
  readonly port: number;
  readonly logger: RecordingLogger;
}

/** Starts a server that lets `PAGE` in, and may be called `locks.example`. */
export async function listenForWebSocket(
  given: Partial<WebSocketListenerOptions> = {},
  options: LockServerOptions = {},
): Promise<WebSocketScene> {
  const logger = new RecordingLogger();
  const server = makeServer({ logger, ...options });
  const here = { host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] };
  const pages = { origins: [PAGE], hosts: ['locks.example'], maxMessageBytes: 1_000 };
  const port = portOf(await server.listen(webSocket({ ...here, ...pages, ...given })));
  return { server, port, logger };
}

const HEADERS = {
  Host: 'localhost',
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** A handshake; a header that is undefined is left out, and one that is a list comes several times. */
export function handshake(
  headers: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  start = 'GET / HTTP/1.1',
): string {
  const lines = Object.entries({ ...HEADERS, ...headers }).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}\r\n`),
  );
  return `${start}\r\n${lines.join('')}\r\n`;
}
