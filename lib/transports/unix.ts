/** Listens on Unix sockets, and connects to them. */

import { chmodSync, existsSync, linkSync, lstatSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import type { Dialer, Listener, ListenerEvents } from '../message/byte-stream.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import { dialPlainSocket } from './dial-socket.ts';
import { acceptedStream } from './direct-socket.ts';
import { giveFile } from './file-owner.ts';
import { type HeldName, holdName } from './held-name.ts';
import { bind } from './listening.ts';

/** Where to listen. The modes of the file and of the folders above it decide who may connect. */
export interface UnixListenerOptions {
  readonly path: string;
  /** The mode of the socket file, `0o600` by default: only the server's own user. */
  readonly mode?: number;
  /** The user and the group that own the file, names or numbers; by default those of the process. */
  readonly owner?: string;
  readonly group?: string;
}

/**
 * Listens on a Unix socket. Replaces the socket file of a server that is gone. If a server answers there, or the file
 * is not a socket, the file stays and `listen` rejects with `EADDRINUSE`. Removes the file on close.
 * @throws TypeError for an unknown option.
 */
export function unix(options: UnixListenerOptions): Listener {
  return new UnixListener(requireKnownOptions(options, ['path', 'mode', 'owner', 'group']));
}

class UnixListener implements Listener {
  readonly #path: string;
  readonly #mode: number;
  readonly #owner: string | undefined;
  readonly #group: string | undefined;
  readonly #server: Server = createServer({ allowHalfOpen: true });
  #connections = 0;
  #state: 'usable' | 'closed' = 'usable';

  constructor({ path, mode = 0o600, owner, group }: UnixListenerOptions) {
    this.#path = path;
    this.#mode = mode;
    this.#owner = owner;
    this.#group = group;
  }

  async open(events: ListenerEvents): Promise<string> {
    requireUsablePath(this.#path);
    this.#server.on('connection', (socket) => {
      this.#connections += 1;
      events.accepted(acceptedStream(socket, `unix:${this.#connections}`));
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
    if (this.#isHidden) return await this.#bindHidden(events);
    await withUmaskFor(this.#mode, () => bind(this.#server, { path: this.#path, backlog: BACKLOG }, events));
    // The umask is enough on Linux. Never changes the target of a link that somebody may have put there meanwhile.
    const made = lstatSync(this.#path);
    if (made.isSocket() && (made.mode & 0o777) !== this.#mode) chmodSync(this.#path, this.#mode);
  }

  /** A worker thread cannot set the umask, and nobody may connect before the file has its owner. */
  get #isHidden(): boolean {
    return !isMainThread || this.#owner !== undefined || this.#group !== undefined;
  }

  /** Makes the socket in a private folder and links it to its path at the end. */
  async #bindHidden(events: ListenerEvents): Promise<void> {
    // Not `join`, which drops the dot: the folder would be beside that of the path, where this user may not write.
    const folder = mkdtempSync(`${dirname(this.#path)}/.`);
    try {
      const hidden = join(folder, 's');
      requireFittingPath(hidden);
      await bind(this.#server, { path: hidden, backlog: BACKLOG }, events);
      chmodSync(hidden, this.#mode);
      giveFile(hidden, this.#owner, this.#group);
      linkSync(hidden, this.#path);
    } catch (error) {
      if (this.#server.listening) this.#server.close();
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(this.#path) : error;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  #stop(): void {
    // `close` only removes the file under the name with which it was made.
    if (this.#isHidden) this.#remove();
    this.#server.close();
  }

  /** Leaves the file where the process has given up the rights to the folder since. */
  #remove(): void {
    try {
      rmSync(this.#path, { force: true });
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) throw error;
    }
  }
}

/** The longest path that fits into `sun_path`, on Linux and elsewhere. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/** How many connections may wait until the server accepts them. */
const BACKLOG = 4_096;

/** @throws Error when no socket can be made there: the path is too long, or its folder does not exist. */
export function requireUsablePath(path: string): void {
  requireFittingPath(path);
  requireFolderOf(path);
}

/** @throws RangeError when the path is too long: the system would silently use only its beginning. */
function requireFittingPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_PATH_BYTES) return;
  throw new RangeError(`the path of a Unix socket has ${bytes} bytes, ${path}; expected at most ${MAX_PATH_BYTES}`);
}

/** The system's own error for a missing folder is about permissions. @throws Error with the code ENOENT. */
function requireFolderOf(path: string): void {
  const folder = dirname(path);
  if (existsSync(folder)) return;
  throw Object.assign(new Error(`the folder ${folder} of the Unix socket ${path} does not exist`), { code: 'ENOENT' });
}

/** Keeps others out between the bind and the change of the mode. */
function withUmaskFor<Bound>(mode: number, bind: () => Bound): Bound {
  const umask = process.umask(0o777 & ~mode);
  try {
    return bind();
  } finally {
    process.umask(umask);
  }
}

/**
 * Lets one server at a time open the path. If two servers found the same stale file, the second would replace the first
 * one's new file.
 */
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

/** Whether the path is a socket file with no server behind it. */
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

/** Connects to a Unix socket. The dialer rejects with a RangeError when the path is too long for the system. */
export function dialUnix({ path }: { readonly path: string }): Dialer {
  return async (signal) => {
    requireFittingPath(path);
    return await dialPlainSocket({ path }, path, signal);
  };
}
