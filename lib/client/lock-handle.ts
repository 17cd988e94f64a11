/** One hold of a lock, for as long as it lasts. */

import { type LockLostCode, LockLostError } from './lock-error.ts';

/** `lost`: the server freed it, or may have. */
type State = 'held' | 'released' | 'lost';

/** Gives the lock back on the server; resolves to whether it was held. */
export type ReleaseOnServer = (handle: LockHandle) => Promise<boolean>;

/** A lock that was granted. Give it back with `release()`, or let `await using` do it. */
export class LockHandle implements AsyncDisposable {
  readonly name: string;
  /** The fencing token: greater than that of every grant before. Give it to the resource, which refuses smaller ones. */
  readonly token: number;
  /** The owner tag under which the server knows this hold. */
  readonly owner: string;
  readonly #lost = new AbortController();
  readonly #releaseOnServer: ReleaseOnServer;
  #state: State = 'held';
  #released: Promise<boolean> | undefined;

  constructor(name: string, token: number, owner: string, releaseOnServer: ReleaseOnServer) {
    this.name = name;
    this.token = token;
    this.owner = owner;
    this.#releaseOnServer = releaseOnServer;
  }

  /** Aborts when the lock is lost, with a `LockLostError` as its reason; never because it was given back. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Gives the lock back. Resolves to whether it was still held when the server was told; false too when the connection
   * broke before the answer. A second call does nothing and resolves to the same. Never rejects.
   */
  release(): Promise<boolean> {
    this.#released ??= this.#release();
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release().then(() => {});
  }

  /** For the client that made the handle: the lock is not held any more. */
  lose(code: LockLostCode): void {
    if (this.#state !== 'held') return;
    this.#state = 'lost';
    this.#lost.abort(new LockLostError(code, this.name));
  }

  async #release(): Promise<boolean> {
    if (this.#state !== 'held') return false;
    this.#state = 'released';
    return await this.#releaseOnServer(this);
  }
}
