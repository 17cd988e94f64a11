/** The WebSocket of the package `ws`, with the additions that a client needs. */

import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { WebSocketClass } from './dial-web-socket.ts';
import { KEEP_ALIVE_IDLE_MS } from './tcp.ts';
import { type DialTlsOptions, tlsConnectOptions } from './tls.ts';

/** Makes a WebSocket class with keep-alive and these certificates. */
export function webSocketClass(tls: DialTlsOptions = {}): WebSocketClass {
  return class extends WebSocket {
    #socket: IncomingMessage['socket'] | undefined;

    constructor(address: string) {
      super(address, { perMessageDeflate: false, ...tlsConnectOptions(tls) });
      this.on('upgrade', ({ socket }) => {
        this.#socket = socket;
        socket.setKeepAlive(true, KEEP_ALIVE_IDLE_MS);
      });
    }

    /** Sets whether the connection keeps the process alive. */
    setReferenced(isReferenced: boolean): void {
      if (isReferenced) this.#socket?.ref();
      else this.#socket?.unref();
    }
  };
}
