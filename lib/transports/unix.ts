/** Unix sockets: listening, and connecting. */

import { chmodSync, existsSync, linkSync, lstatSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import type { Dialer, Listener, ListenerEvents } from '../message/byte-stream.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import { dialPlainSocket } from './dial-socket.ts';
import { type HeldName, holdName } from './held-name.ts';
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
 * @throws TypeError when an option is not known.
 */
export function unix(options: UnixListenerOptions): Listener {
  return new UnixListener(requireKnownOptions(options, ['path', 'mode']));
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
    const opening = await holdOpening(this.#path);
    try {
      if (await isStale(this.#path)) unlinkSync(this.#path);
      await this.#bind(events);
    } finally {
      opening?.release();
    }
    if (this.#state === 'closed') {
      this.#stop();
      throw new Error('the listener was closed');
    }
    return this.#path;
  }

  close(): Promise<void> {
    this.#state = 'closed';
    if (this.#server.listening) this.#stop();
    return Promise.resolve();
  }

  async #bind(events: ListenerEvents): Promise<void> {
    if (!isMainThread) return await this.#bindHidden(events);
    await withUmaskFor(this.#mode, () => bind(this.#server, { path: this.#path, backlog: BACKLOG }, events));
    chmodSync(this.#path, this.#mode);
  }

  /** A worker thread cannot set the umask. It makes the socket where nobody else comes, and gives it its name at the end. */
  async #bindHidden(events: ListenerEvents): Promise<void> {
    const folder = mkdtempSync(join(dirname(this.#path), '.'));
    try {
      const hidden = join(folder, 's');
      requireFittingPath(hidden);
      await bind(this.#server, { path: hidden, backlog: BACKLOG }, events);
      chmodSync(hidden, this.#mode);
      linkSync(hidden, this.#path);
    } catch (error) {
      if (this.#server.listening) this.#server.close();
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(this.#path) : error;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  #stop(): void {
    // Closing removes the file by the name under which it was made.
    if (!isMainThread) rmSync(this.#path, { force: true });
    this.#server.close();
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

/** Nobody else may connect between the bind, which happens at once, and the change of the mode. */
function withUmaskFor<Bound>(mode: number, bind: () => Bound): Bound {
  const umask = process.umask(0o777 & ~mode);
  try {
    return bind();
  } finally {
    process.umask(umask);
  }
}

/** Of two servers that find the file of one that is gone, the second would replace that of the first. */
async function holdOpening(path: string): Promise<HeldName | undefined> {
  try {
    return await holdName('unix', path);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? taken(path) : error;
  }
}

function taken(path: string): Error {
  return Object.assign(new Error(`listen EADDRINUSE: address already in use ${path}`), { code: 'EADDRINUSE' });
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
