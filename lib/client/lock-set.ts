/** Several locks that were granted together, as one guard. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { LockLostError } from './lock-error.ts';
import type { LockHandle } from './lock-handle.ts';

/** All of them are held, or the set is lost. Release them with `release()`, or let `await using` do it. */
export class LockSet implements AsyncDisposable {
  /** One for each lock, in the order in which they were asked for. Their owner is the same. */
  readonly handles: readonly LockHandle[];
  readonly #lost = new AbortController();
  #ended: Promise<LockLostError | undefined> | undefined;

  /** Only the client makes sets. */
  constructor(handles: readonly LockHandle[]) {
    this.handles = handles;
    for (const { signal } of this.handles) whenAborted(signal, () => this.#lost.abort(signal.reason));
  }

  /** The names, for people. */
  get name(): string {
    return this.handles.map(({ name }) => name).join(', ');
  }

  /** The fencing tokens, in the order in which the locks were asked for. */
  get tokens(): readonly number[] {
    return this.handles.map(({ token }) => token);
  }

  /** Whether all of them are still held; false also when the client cannot be sure, as for one handle. */
  get isHeld(): boolean {
    return this.handles.every(({ isHeld }) => isHeld);
  }

  /** Aborts when the first of them is lost, with its `LockLostError` as the reason; never because they were released. */
  get signal(): AbortSignal {
    const loss = this.handles.find(({ signal }) => signal.aborted)?.signal.reason as LockLostError | undefined;
    if (loss !== undefined) this.#lost.abort(loss);
    return this.#lost.signal;
  }

  /** Asks the server whether all of them are still held, as `LockHandle.confirm` does. */
  async confirm(): Promise<boolean> {
    const confirmed = await Promise.all(this.handles.map((handle) => handle.confirm()));
    return confirmed.every(Boolean) && this.isHeld;
  }

  /** Does nothing while all of them are held. @throws LockLostError when one was lost; `unconfirmed` when the client cannot be sure. */
  throwIfLost(): void {
    this.signal.throwIfAborted();
    for (const handle of this.handles) handle.throwIfLost();
  }

  /** Releases all of them. Resolves to whether all were still held. A second call resolves to the same. Never rejects. */
  async release(): Promise<boolean> {
    return (await this.end()) === undefined;
  }

  /** Releases all of them; resolves to the loss of the first that was not held any more. */
  end(): Promise<LockLostError | undefined> {
    this.#ended ??= Promise.all(this.handles.map((handle) => handle.end())).then((losses) => losses.find(Boolean));
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
