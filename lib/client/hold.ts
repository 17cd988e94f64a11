/** One hold on the server, as this client knows it. Callers see the handles that share it. */

import type { LockMode } from '../protocol.ts';
import { Lease, type Moment } from './lease.ts';
import { type LockLostCode, LockLostError } from './lock-error.ts';

/** A grant of the server. */
export interface Grant {
  readonly name: string;
  readonly mode: LockMode;
  /** The owner tag. */
  readonly owner: string;
  readonly token: number;
  /** Holders of the lock at the grant, this one included. */
  readonly count: number;
}

/** Runs a function in no request's asynchronous context, where there is such a thing. */
export type Outside = (run: () => void) => void;

/** The connection that a hold was granted on. */
export interface HoldKeeper {
  /** Unlocks; resolves to undefined when the lock was held, else to why it was not, within its time limit. Never rejects. */
  unlock(hold: Hold): Promise<LockLostError | undefined>;
  /** Starts its lease anew; resolves to whether it was still held. Rejects without a connection. */
  renew(hold: Hold, leaseMs: number): Promise<boolean>;
  /** Runs code that calls listeners, in no request's context. */
  readonly outside: Outside;
}

type State = { readonly kind: 'held' | 'released' } | { readonly kind: 'lost'; readonly loss: LockLostError };

/** Lasts until the last handle is released, or until it is lost. */
export class Hold {
  /** Its number in the connection's table. */
  id = 0;
  readonly grant: Grant;
  /** Why the server has freed it, or may have; perhaps while its unlock was on the way. */
  freed: LockLostCode | undefined;
  /** One for each handle that shares the hold; aborts when the hold is lost. */
  readonly handles: Set<AbortController> = new Set();
  readonly #keeper: HoldKeeper;
  #state: State = { kind: 'held' };
  #lease: Lease | undefined;
  #whenEnded: (() => void) | undefined;

  constructor(grant: Grant, keeper: HoldKeeper) {
    this.grant = grant;
    this.#keeper = keeper;
  }

  /** Why the hold was lost; undefined as long as it was not. */
  get loss(): LockLostError | undefined {
    // The process may have been paused for so long that no timer could end the lease yet.
    if (this.#state.kind === 'held' && this.#lease?.isOver === true) this.#expire();
    return this.#state.kind === 'lost' ? this.#state.loss : undefined;
  }

  /** Milliseconds until its lease is over, 0 when it is; `Infinity` without one. */
  get leaseLeftMs(): number {
    return this.#lease?.leftMs ?? Number.POSITIVE_INFINITY;
  }

  get isHeld(): boolean {
    return this.loss === undefined && this.#state.kind === 'held';
  }

  /** Renews the lease until the hold ends. Resolves once it is known to run. */
  startLease(leaseMs: number, sent: Moment): Promise<void> {
    // The loss may have come right behind the grant.
    if (this.#state.kind !== 'held') return Promise.resolve();
    this.#lease = new Lease(leaseMs, sent, {
      renew: () => this.#keeper.renew(this, leaseMs),
      over: () => this.#expire(),
    });
    return this.#lease.confirmed;
  }

  /** Releases one handle; the last one unlocks. Resolves to why the lock was not held any more, if it was not. */
  release(handle: AbortController): Promise<LockLostError | undefined> {
    this.handles.delete(handle);
    const { loss } = this;
    return loss === undefined && this.handles.size === 0 ? this.unlock() : Promise.resolve(loss);
  }

  /** Unlocks, whether or not handles share the hold. */
  unlock(): Promise<LockLostError | undefined> {
    if (this.#state.kind === 'lost') return Promise.resolve(this.#state.loss);
    if (this.#state.kind === 'released') return Promise.resolve(undefined);
    this.#state = { kind: 'released' };
    this.#lease?.stop();
    // The unlock goes out before the owner's next request for the lock.
    const unlocked = this.#keeper.unlock(this);
    this.#whenEnded?.();
    return unlocked;
  }

  /** The server freed the lock, or may have. Returns whether it was held. */
  lose(code: LockLostCode): boolean {
    this.freed = code;
    if (this.#state.kind !== 'held') return false;
    const loss = new LockLostError(code, this.grant.name);
    this.#state = { kind: 'lost', loss };
    this.#lease?.stop();
    this.#keeper.outside(() => {
      for (const handle of [...this.handles]) handle.abort(loss);
    });
    this.#whenEnded?.();
    return true;
  }

  /** Calls back when the hold has been unlocked or lost, at once if it has ended already. Takes one listener. */
  whenEnded(listener: () => void): void {
    if (this.#state.kind === 'held') this.#whenEnded = listener;
    else listener();
  }

  /** Unlocks as well: the server may not know yet that the lease is over. */
  #expire(): void {
    this.lose('leaseOver');
    void this.#keeper.unlock(this);
  }
}
