/** Unix sockets: listening, and connecting. */

import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
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
    requireFittingPath(this.#path);
    requireFolderOf(this.#path);
    this.#server.on('connection', (socket) => {
      this.#connections += 1;
      events.accepted(new SocketStream(socket, `unix:${this.#connections}`, 'direct'));
    });
    if (await isStale(this.#path)) unlinkSync(this.#path);
    await withUmaskFor(this.#mode, () => bind(this.#server, { path: this.#path, backlog: BACKLOG }, events));
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

/** @throws RangeError when the system would take the beginning of the path for all of it. */
function requireFittingPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_PATH_BYTES) return;
  throw new RangeError(`the path of a Unix socket has ${bytes} bytes, ${path}; expected at most ${MAX_PATH_BYTES}`);
}

/** What the system says of a folder that is missing speaks of permissions. @throws Error with the code ENOENT. */
function requireFolderOf(path: string): void {
  const folder = dirname(path);
  if (existsSync(folder)) return;
  throw Object.assign(new Error(`the folder ${folder} of the Unix socket ${path} does not exist`), { code: 'ENOENT' });
}

const WRITABLE = 0o222;

/** Nobody may connect between the bind, which happens at once, and the change of the mode. */
function withUmaskFor<Bound>(mode: number, bind: () => Bound): Bound {
  if (!isMainThread) {
    requireUmaskFor(mode);
    return bind();
  }
  const umask = process.umask(0o777 & ~mode);
  try {
    return bind();
  } finally {
    process.umask(umask);
  }
}

/** A worker thread can read the umask only. To connect one must be allowed to write. */
function requireUmaskFor(mode: number): void {
  const umask = process.umask();
  if ((~umask & ~mode & WRITABLE) === 0) return;
  const text = `the umask is ${octal(umask)}; expected one that lets nobody write whom the mode ${octal(mode)} does not`;
  throw new Error(`${text}: a worker thread cannot change it`);
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

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

/** Connects to a Unix socket. The dialer rejects with a RangeError when the path is longer than the system takes. */
export function dialUnix({ path }: { readonly path: string }): Dialer {
  return async (signal) => {
    requireFittingPath(path);
    return await dialPlainSocket({ path }, path, signal);
  };
}
