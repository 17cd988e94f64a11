/** The calls that wait for a connection. */

import { whenAborted } from '../message/abort-listeners.ts';
import { startTimeout } from '../message/timeout.ts';
import type { LockSession } from './lock-session.ts';

/** How a call waits for a connection. */
export interface ConnectionPatience {
  /** Milliseconds to wait at most. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether to wait for further attempts when one fails. */
  readonly whenFailed: 'wait' | 'fail';
  /** Calls with smaller numbers get the connection first; 0 if there is none. */
  readonly order?: number | undefined;
}

interface WaitingCall {
  readonly whenFailed: 'wait' | 'fail';
  readonly order: number;
  readonly resolve: (session: LockSession) => void;
  readonly reject: (error: unknown) => void;
}

/** Each waits until there is a connection, its time is over, its signal aborts, or it is rejected. */
export class WaitingCalls {
  readonly #calls = new Set<WaitingCall>();

  get size(): number {
    return this.#calls.size;
  }

  /**
   * Uses the session as soon as it has a connection, before anything else happens, so that calls go out in their order. Rejects
   * with the error of `late` when the time is over, or with the signal's reason.
   */
  add<Used>(
    { timeoutMs, signal, whenFailed, order = 0 }: ConnectionPatience,
    use: (session: LockSession) => Used,
    late: () => Error,
  ): Promise<Used> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#calls.delete(call);
        stopTimeout();
        stopListening();
      };
      const call: WaitingCall = {
        whenFailed,
        order,
        resolve: (session) => {
          end();
          resolve(use(session));
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const stopTimeout = startTimeout(timeoutMs, () => call.reject(late()));
      const stopListening = whenAborted(signal, () => call.reject(signal?.reason));
      this.#calls.add(call);
    });
  }

  /** There is a connection. */
  resolveAll(session: LockSession): void {
    const inOrder = [...this.#calls].sort((a, b) => a.order - b.order);
    for (const { resolve } of inOrder) resolve(session);
  }

  /** Rejects all calls, or only those that do not wait for further attempts; returns how many. */
  reject(which: 'all' | 'fail', error: unknown): number {
    const calls = [...this.#calls].filter(({ whenFailed }) => which === 'all' || whenFailed === which);
    for (const call of calls) call.reject(error);
    return calls.length;
  }
}
