/** The lock client for pages and workers in browsers, and wherever else there is a `WebSocket`: reaches the server by it. */

import { type DialWebSocketOptions, dialWebSocket } from '../transports/dial-web-socket.ts';
import { type ClientOptions, LockClientBase } from './base-client.ts';
import { requireOptions } from './client-options.ts';

/** Where the server is: `{url}`, such as `wss://locks.example`. */
export interface BrowserClientOptions extends ClientOptions, DialWebSocketOptions {}

/** A client that connects when it is first used; see `connect` for one that is connected from the beginning. */
export class LockClient extends LockClientBase {
  /** @throws TypeError when `url` is no URL of a WebSocket, or when there is no `WebSocket` here and none was given. */
  constructor(options: BrowserClientOptions) {
    super(dialWebSocket(requireOptions(options)), options);
  }

  /**
   * Makes a client and connects. Rejects with an error that a browser does not explain, with a `MessageError`, with a
   * `LockError` of the code `protocol` when the server does not speak this protocol, or with what the constructor throws;
   * nothing is left open then.
   */
  static async connect(options: BrowserClientOptions): Promise<LockClient> {
    const client = new LockClient(options);
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }
}
