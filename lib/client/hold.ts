/** One hold on the server, as this client knows it. The handles that share it are what callers see. */

import type { LockMode } from '../protocol.ts';
import { Lease, type Moment } from './lease.ts';
import { type LockLostCode, LockLostError } from './lock-error.ts';

/** A grant, as the server told it. */
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

/** What a hold asks of the connection that it was granted on. */
export interface HoldKeeper {
  /** Gives it back; resolves to undefined when it was held, else to why it was not, within its time limit. Never rejects. */
  giveBack(hold: Hold): Promise<LockLostError | undefined>;
  /** Starts its lease anew; resolves to whether it was still held. Rejects without a connection. */
  renew(hold: Hold, leaseMs: number): Promise<boolean>;
  /** Runs what calls listeners, in no request's context. */
  readonly outside: Outside;
}

/** Held until the last of those who use it lets go, or until it is lost. */
export class Hold {
  /** The connection's number for it. */
  readonly id: number;
  readonly grant: Grant;
  /** Why the server has freed it, if it said so; perhaps while the hold was being given back. */
  freed: LockLostCode | undefined;
  readonly #keeper: HoldKeeper;
  #state: 'held' | 'released' | 'lost' = 'held';
  #loss: LockLostError | undefined;
  #lease: Lease | undefined;
  /** What tells each handle of the loss. */
  readonly #users: ((loss: LockLostError) => void)[] = [];
  #whenEnded: (() => void) | undefined;

  constructor(id: number, grant: Grant, keeper: HoldKeeper) {
    this.id = id;
    this.grant = grant;
    this.#keeper = keeper;
  }

  /** Why the hold was lost; undefined as long as it was not. */
  get loss(): LockLostError | undefined {
    if (this.#state === 'held' && this.#lease?.isOver === true) this.#expire();
    return this.#loss;
  }

  /** Milliseconds until its lease is over, 0 when it is; `Infinity` without one. */
  get leaseLeftMs(): number {
    return this.#lease?.leftMs ?? Number.POSITIVE_INFINITY;
  }

  get isHeld(): boolean {
    return this.loss === undefined && this.#state === 'held';
  }

  /** Renews the lease until the hold ends. Resolves once it is known to run. */
  startLease(leaseMs: number, sent: Moment): Promise<void> {
    // The loss may have come right behind the grant.
    if (this.#state !== 'held') return Promise.resolve();
    this.#lease = new Lease(leaseMs, sent, {
      renew: () => this.#keeper.renew(this, leaseMs),
      over: () => this.#expire(),
    });
    return this.#lease.confirmed;
  }

  /** One more handle uses the hold. It learns of a loss until it lets go; at once, of one that has been. */
  addUser(whenLost: (loss: LockLostError) => void): void {
    this.#users.push(whenLost);
    if (this.#loss !== undefined) whenLost(this.#loss);
  }

  /** A handle lets go; the last one gives the lock back. Resolves to why the lock was not held any more, if it was not. */
  removeUser(whenLost: (loss: LockLostError) => void): Promise<LockLostError | undefined> {
    this.#users.splice(this.#users.lastIndexOf(whenLost), 1);
    const loss = this.loss;
    return loss === undefined && this.#users.length === 0 ? this.giveBack() : Promise.resolve(loss);
  }

  /** Gives the lock back, whoever uses it. */
  giveBack(): Promise<LockLostError | undefined> {
    if (this.#state !== 'held') return Promise.resolve(this.#loss);
    this.#state = 'released';
    this.#lease?.stop();
    // What the owner asks for next goes out behind the unlock.
    const given = this.#keeper.giveBack(this);
    this.#whenEnded?.();
    return given;
  }

  /** The server freed the lock, or may have. Returns whether it was held. */
  lose(code: LockLostCode): boolean {
    this.freed = code;
    if (this.#state !== 'held') return false;
    this.#state = 'lost';
    this.#lease?.stop();
    const loss = new LockLostError(code, this.grant.name);
    this.#loss = loss;
    this.#keeper.outside(() => {
      for (const tell of [...this.#users]) tell(loss);
    });
    this.#whenEnded?.();
    return true;
  }

  /** Calls back when the hold has been given back or lost, at once if that is so already. One listener. */
  whenEnded(listener: () => void): void {
    if (this.#state === 'held') this.#whenEnded = listener;
    else listener();
  }

  /** What the server may not know yet is said to it, too. */
  #expire(): void {
    this.lose('leaseOver');
    void this.#keeper.giveBack(this);
  }
}
