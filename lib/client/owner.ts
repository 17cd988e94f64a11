/**
 * One owner: what belongs together for the server. Branches of a program that act as the same owner exclude each other
 * here, in the client, since the server lets an owner in twice.
 */

import { whenAborted } from '../message/abort-listeners.ts';
import { show } from '../message/show.ts';
import { startTimeout } from '../message/timeout.ts';
import { type Hold, holdsOf } from './hold.ts';
import { LockTimeoutError } from './lock-error.ts';
import { type AllRequest, type LockMode, type LockRequest, remainingMs } from './lock-options.ts';

/** Which lock it is. */
export interface LockIdentity {
  readonly name: string;
  readonly mode?: LockMode | undefined;
}

/** What an owner asks of its client. */
export interface LockSource {
  /** Asks the server; resolves to null when a try-lock would have had to wait. */
  ask(owner: string, request: LockRequest): Promise<Hold | null>;
  /** Asks the server for several locks at once. */
  askAll(owner: string, request: AllRequest): Promise<readonly Hold[] | null>;
  /** Calls back once no request of the owner that was given up can bring the lock any more; at once if there is none. */
  whenAnswered(owner: string, lock: LockIdentity, listener: () => void): void;
  /** Aborts, with the error for those who wait, when the client is closed. */
  readonly closing: AbortSignal;
  /** Nothing is asked for or held under the owner any more; told perhaps more than once. */
  unused(owner: Owner): void;
}

/** The branches that wait for their turn at one lock, in order of arrival. */
type Turn = Set<() => void>;

/** The same for two modes of a name that are one lock. */
export function lockKey({ name, mode }: LockIdentity): string {
  return `${mode === 'permit' ? 'permit' : 'lock'} ${name}`;
}

/** An owner tag and the locks that are asked for or held under it. */
export class Owner {
  /** The client's number for it; 0 for one that the caller has named. */
  readonly id: number;
  readonly tag: string;
  readonly #source: LockSource;
  /** What one branch asks for or holds; undefined as long as no other has waited for it. */
  readonly #turns = new Map<string, Turn | undefined>();

  constructor(id: number, tag: string, source: LockSource) {
    this.id = id;
    this.tag = tag;
    this.#source = source;
  }

  /** Asks for a lock once no other branch of the owner asks for it or holds it; null when a try-lock would wait. */
  take(request: LockRequest): Promise<Hold | null> {
    const key = lockKey(request);
    const ask = (): Promise<Hold | null> => this.#takeTurns([request], () => this.#source.ask(this.tag, request));
    if (this.#turns.has(key))
      return request.waitMs === 0 ? Promise.resolve(null) : this.#awaitTurn(key, request).then(ask);
    this.#turns.set(key, undefined);
    return ask();
  }

  /** Asks for several locks at once; only for an owner that has asked for nothing before. */
  async takeAll(request: AllRequest): Promise<readonly Hold[] | null> {
    for (const item of request.items) this.#turns.set(lockKey(item), undefined);
    return await this.#takeTurns(request.items, () => this.#source.askAll(this.tag, request));
  }

  /** The turns end with what is granted, or when nothing is. */
  async #takeTurns<Granted extends Hold | readonly Hold[]>(
    locks: readonly LockIdentity[],
    ask: () => Promise<Granted | null>,
  ): Promise<Granted | null> {
    let granted: Granted | null = null;
    try {
      granted = await ask();
    } finally {
      if (granted === null) for (const lock of locks) this.#endTurn(lock);
      this.#tellIfUnused();
    }
    if (granted === null) return null;
    for (const hold of holdsOf(granted)) hold.whenEnded(() => this.#endTurn(hold.grant));
    return granted;
  }

  /**
   * The next in the order of arrival has its turn, once nothing that the owner asked for before can bring the lock any
   * more: two requests for it at once would share one hold.
   */
  #endTurn(lock: LockIdentity): void {
    this.#source.whenAnswered(this.tag, lock, () => this.#startNext(lockKey(lock)));
  }

  #startNext(key: string): void {
    for (const next of this.#turns.get(key) ?? []) {
      next();
      return;
    }
    this.#turns.delete(key);
    this.#tellIfUnused();
  }

  #tellIfUnused(): void {
    if (this.#turns.size === 0) this.#source.unused(this);
  }

  #awaitTurn(key: string, request: LockRequest): Promise<void> {
    const turn = this.#turns.get(key) ?? new Set();
    this.#turns.set(key, turn);
    const { signal, waitMs, name } = request;
    const { closing } = this.#source;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      closing.throwIfAborted();
      const stop = (): void => {
        stopTimeout();
        turn.delete(next);
        stopListening();
        stopListeningToClose();
      };
      const fail = (error: unknown): void => {
        stop();
        reject(error);
      };
      const next = (): void => {
        stop();
        resolve();
      };
      const stopTimeout = startTimeout(remainingMs(request), () => {
        const text = `the lock ${show(name)} was not granted within ${waitMs} ms`;
        fail(new LockTimeoutError(`${text}: another branch of the same owner, ${this.tag}, has it`));
      });
      const stopListening = whenAborted(signal, () => fail(signal?.reason));
      const stopListeningToClose = whenAborted(closing, () => fail(closing.reason));
      turn.add(next);
    });
  }
}
