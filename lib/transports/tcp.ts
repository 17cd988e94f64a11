/** Listens on TCP with an allow-list, and connects by TCP, both with or without TLS. */

import { createServer, type Server, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  TLSSocket,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls';
import type { Dialer, Listener, ListenerEvents } from '../message/byte-stream.ts';
import { Place } from '../message/connection-places.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import type { ConnectionRefusalReason, Refusal, RefusalCause } from '../message/refusals.ts';
import { AllowList, canonicalAddress, formatAddress } from './allow-list.ts';
import { dialPlainSocket, dialSocket } from './dial-socket.ts';
import { acceptedStream } from './direct-socket.ts';
import { awaitHandshakeTurn } from './handshake-turns.ts';
import { bind, turnAway } from './listening.ts';
import { type PeerWatch, sharedPeerWatch } from './peer-watch.ts';
import { type Origin, Proxies } from './proxies.ts';
import { SocketStream } from './socket-stream.ts';
import {
  type DialTlsOptions,
  type HandshakeOptions,
  handshakeTimeoutOf,
  readTlsFiles,
  type TlsFiles,
  tlsConnectOptions,
} from './tls.ts';
import { causeOfFailure, HANDSHAKE_LATE, rawSocketOf } from './tls-failure.ts';

/**
 * How long a connection may be silent before the system asks whether the other end is still there. The system then asks
 * once a second and gives up after ten questions without an answer (libuv's constants), so after about 21 seconds.
 */
export const KEEP_ALIVE_IDLE_MS = 10_000;

/** How many connections may wait until the server accepts them. */
const BACKLOG = 4_096;

/** Where to listen, and who may connect. */
export interface TcpListenerOptions extends HandshakeOptions {
  /** An address or a host name of this machine. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Addresses and CIDR ranges that may connect. */
  readonly allowed: readonly string[];
  /**
   * Addresses and CIDR ranges of proxies. A connection from one must begin with a header of the PROXY protocol, version 1 or 2, and
   * counts as one from the address that the header tells. No others may send a header.
   */
  readonly proxies?: readonly string[] | undefined;
  /** Serves TLS with these files, plain TCP without them. */
  readonly tls?: TlsFiles | undefined;
}

/** The names of the options of a TCP listener. */
export const TCP_LISTENER_OPTIONS: readonly string[] = [
  'host',
  'port',
  'allowed',
  'proxies',
  'tls',
  'handshakeTimeoutMs',
];

/** What may change while a listener is open; what is left out stays. */
export interface ListenerChanges extends Partial<Pick<TcpListenerOptions, 'allowed' | 'proxies' | 'tls'>> {
  /** WebSocket: as in its options. */
  readonly origins?: readonly string[];
  readonly hosts?: readonly string[];
}

/** A listener that can take up changes and read its certificates again. */
export interface TcpListener extends Listener {
  /** Reads the certificate and key again for new connections. @throws Error when that fails; the old ones stay. */
  reload(): void;
  /**
   * Checks changes and reads the certificates again. Returns a function that makes both hold for new connections, and does not fail.
   * @throws as `tcp` does, and Error for files of TLS that need another listener: TLS or certificates of clients cannot begin or end.
   */
  prepare(changes: ListenerChanges): () => void;
}

/**
 * Listens on TCP. Closes a connection from an address that is not allowed before it reads a byte.
 * @throws TypeError for an unknown option or an entry of `allowed` or `proxies` that is neither an address nor a range, RangeError
 * for a wrong `handshakeTimeoutMs`, and the system's error when a file of `tls` cannot be read.
 */
export function tcp(options: TcpListenerOptions, watch: PeerWatch = sharedPeerWatch): TcpListener {
  return new AllowedTcpListener(requireKnownOptions(options, TCP_LISTENER_OPTIONS), bytes(watch));
}

/** A connection that the allow-list has let in. */
export interface Arrival extends Origin {
  readonly events: ListenerEvents;
  /** Undefined where `accepted` takes one. */
  readonly place?: Place | undefined;
  /** Why there is no place for it. */
  readonly obstacle?: RefusalCause<ConnectionRefusalReason> | undefined;
}

/** Handles the connections of a listener, once TLS is spoken where it is set. */
interface Admission {
  /** Whether a handshake follows: its answer can tell a client why there is no place for it. */
  readonly hasHandshake: boolean;
  admit(socket: Socket, arrival: Arrival): void;
  /** As `prepare` of a listener. */
  prepare(changes: ListenerChanges): () => void;
  /** No more connections will come. */
  close(): void;
}

/** How many connections without a place may have their handshake at a time, so that they can be told why. */
const MAX_UNPLACED = 16;

/** A TCP server that checks the allow-list before it reads a byte or starts a handshake. */
export class AllowedTcpListener implements TcpListener {
  readonly #proxies: Proxies;
  readonly #server: Server;
  readonly #tls: TlsServer | undefined;
  readonly #admission: Admission;
  #options: TcpListenerOptions;
  #allowList: AllowList;
  /** Connections whose TLS handshake comes first, by their socket below TLS. */
  readonly #arrivals = new WeakMap<Socket, Arrival>();
  #unplacedCount = 0;
  #state: 'usable' | 'closed' = 'usable';

  constructor(options: TcpListenerOptions, admission: Admission) {
    this.#options = options;
    this.#admission = admission;
    this.#allowList = new AllowList(options.allowed);
    this.#server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_IDLE_MS,
    });
    const handshakeTimeout = handshakeTimeoutOf(options);
    this.#proxies = new Proxies(options.proxies ?? [], handshakeTimeout);
    if (options.tls !== undefined) this.#tls = makeTlsServer({ ...readTlsFiles(options.tls), handshakeTimeout });
  }

  async open(events: ListenerEvents): Promise<string> {
    const { host, port } = this.#options;
    this.#server.on('connection', (socket) => this.#ask(socket, events));
    this.#tls?.on('secureConnection', (socket) => {
      const arrival = this.#arrivals.get(rawSocketOf(socket));
      if (arrival === undefined) socket.destroy();
      else this.#admission.admit(socket, arrival);
    });
    this.#tls?.on('tlsClientError', (error, socket) => {
      const arrival = this.#arrivals.get(rawSocketOf(socket));
      const cause = causeOfFailure(error, socket, arrival?.headerBytes ?? 0);
      if (arrival !== undefined && cause !== undefined) events.refused({ ...cause, address: arrival.address });
      socket.destroy();
    });
    await bind(this.#server, { host, port, backlog: BACKLOG }, events);
    if (this.#state === 'closed') {
      this.#server.close();
      throw new Error('the listener was closed');
    }
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? formatAddress(bound.address, bound.port) : String(bound);
  }

  close(): Promise<void> {
    this.#state = 'closed';
    // The port is free when the call returns, so do not wait for the callback, which waits for the connections too.
    if (this.#server.listening) this.#server.close();
    this.#proxies.close();
    this.#admission.close();
    return Promise.resolve();
  }

  reload(): void {
    this.prepare({})();
  }

  prepare(changes: ListenerChanges): () => void {
    const options = { ...this.#options, ...changes };
    requireSameUse(this.#options.tls, options.tls);
    const files = options.tls === undefined ? undefined : readTlsFiles(options.tls);
    // Only to see whether that works.
    if (files !== undefined) createSecureContext(files);
    const allowList = new AllowList(options.allowed);
    const trustProxies = this.#proxies.prepare(options.proxies ?? []);
    const admitBy = this.#admission.prepare(changes);
    return () => {
      this.#options = options;
      this.#allowList = allowList;
      trustProxies();
      admitBy();
      if (files !== undefined) this.#tls?.setSecureContext(files);
    };
  }

  #ask(socket: Socket, events: ListenerEvents): void {
    // A peer that is already gone has no address.
    const address = addressOf(socket);
    const origin = { address, port: socket.remotePort ?? 0, headerBytes: 0 };
    if (!this.#proxies.trusts(address)) this.#enter(socket, origin, events);
    else this.#proxies.receive(socket, origin, events, (told) => this.#enter(socket, told, events));
  }

  #enter(socket: Socket, origin: Origin, events: ListenerEvents): void {
    const { address } = origin;
    if (!this.#allowList.allows(address)) {
      turnAway(socket);
      if (address !== '') events.refused(notAllowed(address));
    } else if (this.#tls === undefined && !this.#admission.hasHandshake) {
      this.#admission.admit(socket, { ...origin, events });
    } else {
      this.#beginHandshake(socket, origin, events);
    }
  }

  #beginHandshake(socket: Socket, origin: Origin, events: ListenerEvents): void {
    const { address } = origin;
    const giveWay = (): void => {
      // Otherwise TLS would report the end of the socket as well.
      this.#arrivals.delete(socket);
      socket.destroy();
    };
    const answer = events.arrived?.(address, { destroy: giveWay });
    const place = answer instanceof Place ? answer : undefined;
    const obstacle = answer instanceof Place ? undefined : answer;
    if (obstacle !== undefined && !this.#canTell) {
      turnAway(socket);
      events.refused({ ...obstacle, address });
      return;
    }
    if (obstacle !== undefined) this.#unplacedCount += 1;
    socket.on('close', () => {
      if (obstacle !== undefined) this.#unplacedCount -= 1;
      place?.free();
    });
    const arrival = { ...origin, events, place, obstacle };
    this.#arrivals.set(socket, arrival);
    const tls = this.#tls;
    if (tls === undefined) {
      this.#admission.admit(socket, arrival);
      return;
    }
    awaitHandshakeTurn(socket, handshakeTimeoutOf(this.#options), {
      begin: () => tls.emit('connection', socket),
      late: () => {
        events.refused({ ...HANDSHAKE_LATE, address });
        giveWay();
      },
    });
  }

  get #canTell(): boolean {
    return this.#admission.hasHandshake && this.#unplacedCount < MAX_UNPLACED;
  }
}

/** Bytes need no handshake but that of TLS. */
function bytes(watch: PeerWatch): Admission {
  const use = { watch };
  return {
    hasHandshake: false,
    admit: (socket, { address, port, headerBytes, events, place }) => {
      const peer = formatAddress(address, port);
      const isPlain = headerBytes > 0 || socket instanceof TLSSocket;
      const stream = isPlain ? new SocketStream(socket, peer, use) : acceptedStream(socket, peer, use);
      events.accepted(stream, place);
    },
    prepare: () => () => {},
    close: () => {},
  };
}

/** Node decides when it makes the server whether to ask clients for certificates. */
function requireSameUse(before: TlsFiles | undefined, after: TlsFiles | undefined): void {
  if ((before === undefined) !== (after === undefined)) throw new Error('TLS cannot begin or end on an open listener');
  if ((before?.caFile === undefined) === (after?.caFile === undefined)) return;
  throw new Error('a listener that is open cannot begin or cease to ask clients for certificates');
}

function addressOf(socket: Socket): string {
  return canonicalAddress(socket.remoteAddress ?? '');
}

function notAllowed(address: string): Refusal<ConnectionRefusalReason> {
  const remedy = `add "${address}" to "allowed" in the settings`;
  return { reason: 'allowList', address, why: 'its address is not allowed', remedy };
}

function makeTlsServer(options: TlsOptions): TlsServer {
  return createTlsServer({ ...options, allowHalfOpen: true });
}

const MAX_PORT = 65_535;

/**
 * Connects to a TCP port, with TLS if `tls` is given. The dialer rejects with a RangeError when the port is invalid.
 */
export function dialTcp(options: {
  readonly host: string;
  readonly port: number;
  readonly tls?: DialTlsOptions | undefined;
}): Dialer {
  const { host, port, tls } = options;
  const socketOptions = {
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_IDLE_MS,
  };
  const peer = formatAddress(host, port);
  if (!(Number.isInteger(port) && port >= 0 && port <= MAX_PORT)) {
    const text = `port is ${JSON.stringify(port)}; expected a whole number from 0 to ${MAX_PORT}`;
    return () => Promise.reject(new RangeError(text));
  }
  if (tls === undefined) return (signal) => dialPlainSocket(socketOptions, peer, signal);
  const tlsOptions = { ...socketOptions, ...tlsConnectOptions(tls) };
  return (signal) => dialSocket(() => connectTls(tlsOptions), 'secureConnect', peer, signal);
}
