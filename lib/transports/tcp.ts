/** TCP: listening with an allow-list, and connecting. */

import { createServer, type Server, type Socket } from 'node:net';
import type { Dialer, Listener, ListenerEvents } from '../message/byte-stream.ts';
import { canonicalAddress, formatAddress } from './address.ts';
import { AllowList } from './allow-list.ts';
import { dialSocket } from './dial-socket.ts';
import { SocketStream } from './socket-stream.ts';

/**
 * How long a silent connection may stay so before the system asks whether the other end is still there. It then asks
 * once a second and gives up after ten questions without an answer (libuv's constants), so after about 21 seconds.
 */
const KEEP_ALIVE_IDLE_MS = 10_000;

/** Connections that the system may keep ready until they are accepted. */
const BACKLOG = 4_096;

/** Where to listen and for whom. */
export interface TcpListenerOptions {
  /** An address or a host name of this machine. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Addresses and CIDR ranges that may connect. */
  readonly allowed: readonly string[];
}

/**
 * Listens on TCP. Connections of others than the allowed are closed before a byte is read.
 * @throws TypeError when `allowed` has an entry that is neither an address nor a range.
 */
export function tcp(options: TcpListenerOptions): Listener {
  return new TcpListener(options);
}

class TcpListener implements Listener {
  readonly #options: TcpListenerOptions;
  readonly #allowList: AllowList;
  readonly #server: Server;

  constructor(options: TcpListenerOptions) {
    this.#options = options;
    this.#allowList = new AllowList(options.allowed);
    this.#server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_IDLE_MS,
    });
  }

  open(events: ListenerEvents): Promise<string> {
    const { host, port } = this.#options;
    this.#server.on('connection', (socket) => this.#admit(socket, events));
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => events.failed(error));
        const bound = this.#server.address();
        resolve(typeof bound === 'object' && bound !== null ? formatAddress(bound.address, bound.port) : String(bound));
      });
    });
  }

  close(): Promise<void> {
    if (!this.#server.listening) return Promise.resolve();
    // The callback of `close` waits for the connections too; the port is free when the call returns.
    this.#server.close();
    return Promise.resolve();
  }

  #admit(socket: Socket, events: ListenerEvents): void {
    // A peer that is gone already has no address any more.
    const address = canonicalAddress(socket.remoteAddress ?? '');
    if (this.#allowList.allows(address)) {
      events.accepted(new SocketStream(socket, formatAddress(address, socket.remotePort ?? 0)));
      return;
    }
    socket.on('error', () => {});
    socket.destroy();
    if (address !== '') events.refused(address);
  }
}

/** Connects to a TCP port. */
export function dialTcp(options: { readonly host: string; readonly port: number }): Dialer {
  const { host, port } = options;
  return (signal) =>
    dialSocket(
      { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_IDLE_MS },
      formatAddress(host, port),
      signal,
    );
}
