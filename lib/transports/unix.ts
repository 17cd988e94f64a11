/** Unix sockets: listening, and connecting. */

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import type { Dialer, Listener, ListenerEvents } from '../message/byte-stream.ts';
import { dialPlainSocket } from './dial-socket.ts';
import { bind } from './listening.ts';
import { SocketStream } from './socket-stream.ts';

/** Where to listen. Who may connect is a matter of the file's mode and of the folders above it. */
export interface UnixListenerOptions {
  readonly path: string;
  /** The mode of the socket file, `0o600` by default: only the server's own user. */
  readonly mode?: number;
}

/**
 * Listens on a Unix socket. The file of a server that is gone is replaced; that of one that answers is not, and anything
 * that is no socket is not touched: then `listen` rejects with `EADDRINUSE`. The file is removed on close.
 */
export function unix(options: UnixListenerOptions): Listener {
  return new UnixListener(options);
}

class UnixListener implements Listener {
  readonly #path: string;
  readonly #mode: number;
  readonly #server: Server = createServer({ allowHalfOpen: true });
  #connections = 0;
  #state: 'usable' | 'closed' = 'usable';

  constructor({ path, mode = 0o600 }: UnixListenerOptions) {
    this.#path = path;
    this.#mode = mode;
  }

  async open(events: ListenerEvents): Promise<string> {
    // The system would take the beginning of a longer path for all of it.
    if (Buffer.byteLength(this.#path) > MAX_PATH_BYTES) {
      throw new Error(`the path is longer than ${MAX_PATH_BYTES} bytes`);
    }
    this.#server.on('connection', (socket) => {
      this.#connections += 1;
      events.accepted(new SocketStream(socket, `unix:${this.#connections}`, 'direct'));
    });
    if (await isStale(this.#path)) unlinkSync(this.#path);
    // Nobody may connect between the bind, which this call does at once, and the change of the mode.
    const umask = process.umask(0o777 & ~this.#mode);
    const bound = bind(this.#server, { path: this.#path, backlog: BACKLOG }, events);
    process.umask(umask);
    await bound;
    if (this.#state === 'closed') {
      this.#server.close();
      throw new Error('the listener was closed');
    }
    chmodSync(this.#path, this.#mode);
    return this.#path;
  }

  close(): Promise<void> {
    this.#state = 'closed';
    // Closing removes the file, too.
    if (this.#server.listening) this.#server.close();
    return Promise.resolve();
  }
}

/** What fits into `sun_path`, on Linux and elsewhere. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/** Connections that the system may keep ready until they are accepted. */
const BACKLOG = 4_096;

/** Whether there is a socket file that nobody answers at. */
function isStale(path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

/** Connects to a Unix socket. */
export function dialUnix({ path }: { readonly path: string }): Dialer {
  return (signal) => dialPlainSocket({ path }, path, signal);
}
