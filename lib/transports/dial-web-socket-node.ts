/** WebSocket: connecting from Node, where the package `ws` tells more than the standard and can use other certificates. */

import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { Dialer } from '../message/byte-stream.ts';
import { dialWebSocket as dialStandardWebSocket } from './dial-web-socket.ts';
import { KEEP_ALIVE_IDLE_MS } from './tcp.ts';
import { type DialTlsOptions, tlsConnectOptions } from './tls.ts';

/** Where the server is. */
export interface DialWebSocketOptions {
  /** Begins with `ws://`, or with `wss://` for TLS. */
  readonly url: string | URL;
  /** The certificates for `wss://`, where they are not those of the system. */
  readonly tls?: DialTlsOptions | undefined;
}

/**
 * Connects by WebSocket: each write is a frame, and each frame a message.
 * @throws TypeError when `url` is no URL of a WebSocket, or when there are certificates for a connection without TLS.
 */
export function dialWebSocket({ url, tls }: DialWebSocketOptions): Dialer {
  const dial = dialStandardWebSocket({
    url,
    WebSocket: class extends ReferencedWebSocket {
      constructor(address: string) {
        super(address, tls);
      }
    },
  });
  if (tls !== undefined && new URL(url).protocol !== 'wss:') {
    throw new TypeError(
      `url is ${JSON.stringify(String(url))}; expected one that begins with wss://, since tls is given`,
    );
  }
  return dial;
}

/** Gives access to what the system has beneath the connection. */
class ReferencedWebSocket extends WebSocket {
  #socket: IncomingMessage['socket'] | undefined;

  constructor(address: string, tls: DialTlsOptions = {}) {
    super(address, { perMessageDeflate: false, ...tlsConnectOptions(tls) });
    this.on('upgrade', ({ socket }) => {
      this.#socket = socket;
      socket.setKeepAlive(true, KEEP_ALIVE_IDLE_MS);
    });
  }

  setReferenced(isReferenced: boolean): void {
    if (isReferenced) this.#socket?.ref();
    else this.#socket?.unref();
  }
}
