/** All observers of a server, and what the lock table tells them. */

import { waitingCountOf } from '../locks/session.ts';
import type { Claim, LockAllRequest, LockRequest, Session, TableObserver, WaitingRequest } from '../locks/types.ts';
import type { Logger } from '../message/logger.ts';
import type { HoldEnd, NotGranted } from '../protocol.ts';
import type { Intervention, LockObserver } from './lock-observer.ts';

/** What the observers of a lock manager work with. */
export interface LockObserversOptions {
  readonly nowMs: () => number;
  readonly logger: Logger;
  /** Has events come from now on, or no more: without an observer they cost nothing. */
  readonly setObserved: (isObserved: boolean) => void;
}

/** Passes on each event with its time. An observer that fails must not stop what it is told of. */
export class LockObservers implements TableObserver {
  /** Replaced rather than changed, since an observer may come or go while others are told. */
  #observers: readonly LockObserver[] = [];
  readonly #nowMs: () => number;
  readonly #logger: Logger;
  readonly #setObserved: (isObserved: boolean) => void;
  #isStopping = false;

  constructor({ nowMs, logger, setObserved }: LockObserversOptions) {
    this.#nowMs = nowMs;
    this.#logger = logger;
    this.#setObserved = setObserved;
  }

  /** Tells one more of what happens from now on. */
  add(observer: LockObserver): void {
    this.#observers = [...this.#observers, observer];
    this.#setObserved(true);
  }

  remove(observer: LockObserver): void {
    this.#observers = this.#observers.filter((each) => each !== observer);
    if (this.#observers.length === 0) this.#setObserved(false);
  }

  queued(claim: Claim): void {
    // It waits for the next server, which tells of it.
    if (this.#isStopping) return;
    this.#tell((observer, nowMs) => observer.queued?.(claim, nowMs));
  }

  granted(claim: Claim): void {
    // Nothing is allocated here, since this comes with every request.
    const nowMs = this.#nowMs();
    for (const observer of this.#observers) {
      try {
        observer.granted?.(claim, nowMs);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  ended(claim: Claim, how: HoldEnd): void {
    const nowMs = this.#nowMs();
    for (const observer of this.#observers) {
      try {
        observer.ended?.(claim, how, nowMs);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  refused(waiting: WaitingRequest, result: NotGranted): void {
    const claim = waiting.kind === 'wait' ? waiting.claim : (waiting.waiting[0] as Claim);
    const waitedMs = Math.floor(this.#nowMs()) - claim.sinceMs;
    const refusal = { session: claim.owner.session, request: waiting.request, result, claim, waitedMs };
    this.#tell((observer, nowMs) => observer.refused?.(refusal, nowMs));
  }

  /** A request was refused that did not wait. */
  refusedAtOnce(session: Session, request: LockRequest | LockAllRequest, result: NotGranted): void {
    const refusal = { session, request, result, claim: undefined, waitedMs: undefined };
    this.#tell((observer, nowMs) => observer.refused?.(refusal, nowMs));
  }

  /** A session is about to end. */
  sessionEnded(session: Session): void {
    const waits = waitingCountOf(session);
    this.#tell((observer, nowMs) => observer.sessionEnded?.(session, session.claimCount - waits, waits, nowMs));
  }

  intervened(intervention: Intervention): void {
    this.#tell((observer, nowMs) => observer.intervened?.(intervention, nowMs));
  }

  stopping(): void {
    this.#isStopping = true;
    this.#tell((observer, nowMs) => observer.stopping?.(nowMs));
  }

  #tell(tell: (observer: LockObserver, nowMs: number) => void): void {
    const nowMs = this.#nowMs();
    for (const observer of this.#observers) {
      try {
        tell(observer, nowMs);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #failed(error: unknown): void {
    this.#logger.error({ err: error }, 'an observer of the locks failed');
  }
}
