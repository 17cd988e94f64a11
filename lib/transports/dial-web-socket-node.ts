/**
 * Connects by WebSocket from Node. The package `ws` reports more than the standard WebSocket, and accepts certificates.
 */

import type { Dialer } from '../message/byte-stream.ts';
import { dialWebSocket as dialStandardWebSocket, webSocketUrl } from './dial-web-socket.ts';
import type { DialTlsOptions } from './tls.ts';

/** Where the server is. */
export interface DialWebSocketOptions {
  /** Begins with `ws://`, or with `wss://` for TLS. */
  readonly url: string | URL;
  /** Certificates for `wss://`; the system's by default. */
  readonly tls?: DialTlsOptions | undefined;
}

/**
 * Connects by WebSocket: each write is a frame, and each frame a message. Loads the package `ws` at the first
 * connection, so programs that use TCP do not need it.
 * @throws TypeError when `url` is not a WebSocket URL, or when `tls` is given but `url` does not begin with `wss://`.
 */
export function dialWebSocket({ url, tls }: DialWebSocketOptions): Dialer {
  const address = webSocketUrl(url);
  if (tls !== undefined && !address.startsWith('wss:')) {
    throw new TypeError(
      `url is ${JSON.stringify(String(url))}; expected one that begins with wss://, since tls is given`,
    );
  }
  return async (signal) => {
    const { webSocketClass } = await import('./web-socket-class.ts');
    return await dialStandardWebSocket({ url: address, WebSocket: webSocketClass(tls) })(signal);
  };
}
