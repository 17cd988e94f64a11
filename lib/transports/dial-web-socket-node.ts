/** WebSocket: connecting from Node, where the package `ws` tells more than the standard and can use other certificates. */

import type { Dialer } from '../message/byte-stream.ts';
import { dialWebSocket as dialStandardWebSocket, webSocketUrl } from './dial-web-socket.ts';
import type { DialTlsOptions } from './tls.ts';

/** Where the server is. */
export interface DialWebSocketOptions {
  /** Begins with `ws://`, or with `wss://` for TLS. */
  readonly url: string | URL;
  /** The certificates for `wss://`, where they are not those of the system. */
  readonly tls?: DialTlsOptions | undefined;
}

/**
 * Connects by WebSocket: each write is a frame, and each frame a message. The package `ws` is loaded for the first
 * connection: programs that use TCP need not have it.
 * @throws TypeError when `url` is no URL of a WebSocket, or when there are certificates for a connection without TLS.
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
