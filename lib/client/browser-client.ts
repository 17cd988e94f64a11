/** The lock client for pages and workers in browsers, and wherever else there is a `WebSocket`: reaches the server by it. */

import type { Dialer } from '../message/byte-stream.ts';
import { type DialWebSocketOptions, dialWebSocket } from '../transports/dial-web-socket.ts';
import { connected, LockClientBase } from './lock-client-base.ts';
import { noConnection } from './lock-error.ts';
import { ANYTHING, CLIENT_OPTIONS, type ClientOptions, requireOptions } from './options.ts';

/** Where the server is: `{url}`, such as `wss://locks.example`. */
export interface BrowserClientOptions extends ClientOptions, DialWebSocketOptions {}

/** A client that connects when it is first used; see `connect` for one that is connected from the beginning. */
export class LockClient extends LockClientBase {
  /** @throws LockInvalidError when an option is not known, `url` is no URL of a WebSocket, or there is no `WebSocket` here. */
  constructor(options: BrowserClientOptions) {
    requireOptions(options, { ...CLIENT_OPTIONS, url: ANYTHING, WebSocket: ANYTHING });
    super(dialerOf(options), options, {
      outside: (run) => run(),
      defaultName: pageName(),
      // Browsers do not tell why an attempt failed.
      isRefusal: () => false,
    });
  }

  /**
   * Makes a client and connects. Rejects with the error of the constructor or of the client's `connect`, which browsers do not
   * explain; nothing is left open then.
   */
  static async connect(options: BrowserClientOptions): Promise<LockClient> {
    return await connected(new LockClient(options));
  }
}

function dialerOf(options: BrowserClientOptions): Dialer {
  try {
    return dialWebSocket(options);
  } catch (error) {
    throw noConnection(error);
  }
}

/** The address of the page or of the worker's script, without its query. */
function pageName(): string | undefined {
  const { location } = globalThis as { readonly location?: { readonly origin: string; readonly pathname: string } };
  return location === undefined ? undefined : location.origin + location.pathname;
}
