/** The lock client for Node: reaches the server by TCP, TLS, a Unix socket or a WebSocket. */

import type { Dialer } from '../message/byte-stream.ts';
import { dialWebSocket } from '../transports/dial-web-socket-node.ts';
import { dialTcp } from '../transports/tcp.ts';
import { outsideRequests, processName } from '../transports/this-process.ts';
import type { DialTlsOptions } from '../transports/tls.ts';
import { dialUnix } from '../transports/unix.ts';
import { traceRequest } from './client-diagnostics.ts';
import { connected, LockClientBase } from './lock-client-base.ts';
import { noConnection } from './lock-error.ts';
import { ANYTHING, CLIENT_OPTIONS, type ClientOptions, type OptionRules, requireOptions, wrong } from './options.ts';
import { ServerList } from './server-list.ts';
import { leaderPlace, serverPlaces } from './server-places.ts';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 20_934;

/**
 * Node's codes for a certificate that is not trusted, or is for another host: those of OpenSSL's
 * `X509_STORE_CTX_get_error` and of `node:tls`.
 */
const CERTIFICATE_CODE =
  /^(CERT_|ERR_TLS_CERT_|ERROR_IN_CERT_|UNABLE_TO_(DEC|GET|VERIFY)|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_(CA|PURPOSE)|PATH_LENGTH_)/;

/** The server's alerts about a certificate that it demands or refuses; the words before depend on OpenSSL's version. */
const ALERT_CODE =
  /^ERR_SSL_.*ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|PROTOCOL_VERSION)$/;
/** The other side speaks no TLS, or no version of it that this one does. Node tells some of it by the text only. */
const NO_TLS = /wrong[ _]version[ _]number|unsupported[ _]protocol|no[ _]protocols[ _]available/i;
/** The package `ws` about an answer by HTTP: a page, or a refusal that is not for now only. */
const NO_WEB_SOCKET = /^Unexpected server response: (?:[23]\d\d|40[0135]|426)$/;

/**
 * Where the server is: `{host, port}`, by default 127.0.0.1 and 20934, `{path}` of a Unix socket, `{url}` of a WebSocket, a
 * function `dial` that opens the connection, or `{servers}` of which one leads.
 */
export interface LockClientOptions extends ClientOptions {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
  /** Begins with `ws://`, or with `wss://` for TLS; not together with any other place. */
  readonly url?: string | URL | undefined;
  /**
   * Up to 100 servers of which one leads: `host:port`, `unix:PATH`, or a URL that begins with `ws://` or `wss://`. The client goes to the
   * one that leads. Not together with any other place.
   */
  readonly servers?: readonly string[] | undefined;
  /** Use TLS, with these certificates. Of several servers it is for `host:port` and `wss://`. */
  readonly tls?: DialTlsOptions | undefined;
  /** Opens the connection in a way of its own. */
  readonly dial?: Dialer | undefined;
}

/** A client that connects when it is first used; see `connect` for one that is connected from the beginning. */
export class LockClient extends LockClientBase {
  /**
   * @throws LockInvalidError when an option is not known or makes no sense: `url` is no URL of a WebSocket, there is another
   * place beside it, or a certificate is no PEM.
   */
  constructor(options: LockClientOptions = {}) {
    super(dialerOf(requireOptions(options, { ...CLIENT_OPTIONS, ...PLACE_OPTIONS })), withDelays(options), {
      outside: outsideRequests,
      defaultName: processName,
      isRefusal,
      traceRequest,
    });
  }

  /**
   * Makes a client and connects. Rejects with the error of the constructor or of the client's `connect`; nothing is left open
   * then.
   */
  static async connect(options: LockClientOptions = {}): Promise<LockClient> {
    return await connected(new LockClient(options));
  }
}

/** The next leader is there within seconds, and the client asks all servers in each attempt. */
const LONGEST_DELAY_OF_SEVERAL_MS = 1_000;

function withDelays(options: LockClientOptions): LockClientOptions {
  const { servers, reconnect } = options;
  if (servers === undefined || reconnect === false) return options;
  return { ...options, reconnect: { maxDelayMs: LONGEST_DELAY_OF_SEVERAL_MS, ...reconnect } };
}

const PLACE_OPTIONS: OptionRules = {
  host: ANYTHING,
  port: ANYTHING,
  path: ANYTHING,
  url: ANYTHING,
  servers: ANYTHING,
  tls: ANYTHING,
  dial: ANYTHING,
};
const TLS_OPTIONS: OptionRules = { ca: ANYTHING, cert: ANYTHING, key: ANYTHING, serverName: ANYTHING };

function dialerOf(options: LockClientOptions): Dialer {
  const { dial, host = DEFAULT_HOST, port = DEFAULT_PORT, path, url, servers, tls } = options;
  if (tls !== undefined) requireOptions(tls, TLS_OPTIONS, 'tls');
  try {
    if (servers !== undefined) {
      requireNoOtherPlace(options, 'servers');
      const places = serverPlaces(servers, tls);
      return new ServerList({ places, leaderPlace: (address) => leaderPlace(address, tls), isRefusal }).dial;
    }
    if (url !== undefined) {
      requireNoOtherPlace(options, 'url');
      return dialWebSocket({ url, tls });
    }
    if (dial !== undefined) return dial;
    return path === undefined ? dialTcp({ host, port, tls }) : dialUnix({ path });
  } catch (error) {
    throw noConnection(error);
  }
}

function requireNoOtherPlace(options: LockClientOptions, given: 'url' | 'servers'): void {
  for (const place of ['host', 'port', 'path', 'dial', 'url'] as const) {
    const isOther = place !== given && options[place] !== undefined;
    if (isOther) throw wrong(place, options[place], `none, since ${given} is given`);
  }
}

/** A certificate that is not trusted or is refused, or a server of another kind. */
function isRefusal(failure: Error): boolean {
  const code = 'code' in failure ? String(failure.code) : '';
  const isOfTls = CERTIFICATE_CODE.test(code) || ALERT_CODE.test(code) || NO_TLS.test(failure.message);
  return isOfTls || NO_WEB_SOCKET.test(failure.message);
}
