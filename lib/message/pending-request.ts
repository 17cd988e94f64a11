/** A request on its way: what a client keeps of it until the server has answered. */

import type { UnansweredCall } from './call.ts';

/** A request that the server has not answered. */
export interface PendingRequest extends UnansweredCall {
  id: number;
  isGivenUp: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  readonly stopTimeout: () => void;
  readonly stopListening: (() => void) | undefined;
  /** While it waits for a connection. */
  stopWaiting: (() => void) | undefined;
}

/** Its result has come, or will never matter. */
export function stopTimers({ stopTimeout, stopListening, stopWaiting }: PendingRequest): void {
  stopTimeout();
  stopListening?.();
  stopWaiting?.();
}

/** Rejects its call. */
export function fail(request: PendingRequest, error: unknown): void {
  stopTimers(request);
  request.reject(error);
}
