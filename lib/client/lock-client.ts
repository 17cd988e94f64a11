/** The lock client for Node: reaches the server by TCP, TLS, a Unix socket or a WebSocket. */

import type { Dialer } from '../message/byte-stream.ts';
import { dialWebSocket } from '../transports/dial-web-socket-node.ts';
import { dialTcp } from '../transports/tcp.ts';
import type { DialTlsOptions } from '../transports/tls.ts';
import { dialUnix } from '../transports/unix.ts';
import { type ClientOptions, LockClientBase } from './base-client.ts';
import { requireOptions } from './client-options.ts';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 20_934;

/**
 * Where the server is: `{host, port}`, by default 127.0.0.1 and 20934, `{path}` of a Unix socket, `{url}` of a WebSocket,
 * or what `dial` opens.
 */
export interface LockClientOptions extends ClientOptions {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
  /** Begins with `ws://`, or with `wss://` for TLS; not together with any other place. */
  readonly url?: string | URL | undefined;
  /** Use TLS, with these certificates. */
  readonly tls?: DialTlsOptions | undefined;
  /** Opens the connection in a way of its own. */
  readonly dial?: Dialer | undefined;
}

/** A client that connects when it is first used; see `connect` for one that is connected from the beginning. */
export class LockClient extends LockClientBase {
  /** @throws TypeError when `options` is no object, `url` no URL of a WebSocket, or when there is another place beside it. */
  constructor(options: LockClientOptions = {}) {
    super(dialerOf(requireOptions(options)), options);
  }

  /**
   * Makes a client and connects. Rejects with the system's error, such as `ECONNREFUSED`, with a `MessageError`, or with a
   * `LockError` of the code `protocol` when the server does not speak this protocol, or with what the constructor throws;
   * nothing is left open then.
   */
  static async connect(options: LockClientOptions = {}): Promise<LockClient> {
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

function dialerOf(options: LockClientOptions): Dialer {
  const { dial, host = DEFAULT_HOST, port = DEFAULT_PORT, path, url, tls } = options;
  if (url !== undefined) {
    for (const place of ['host', 'port', 'path', 'dial'] as const) {
      if (options[place] === undefined) continue;
      throw new TypeError(`${place} is ${String(options[place])}; expected none, since url is given`);
    }
    return dialWebSocket({ url, tls });
  }
  if (dial !== undefined) return dial;
  return path === undefined ? dialTcp({ host, port, tls }) : dialUnix({ path });
}
