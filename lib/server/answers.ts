/** What the answers to clients tell. */

import { mapResult, type PendingResult } from '../message/pending-result.ts';
import type { Status } from '../wire/statuses.ts';
import type { LockAllResult, LockResult } from './lock-manager.ts';

export const OK: { readonly status: Status } = Object.freeze({ status: 'ok' });
export const DENIED: { readonly status: Status } = Object.freeze({ status: 'denied' });

/** Where listings are forbidden, answers must not reveal holders and waiters either. */
export function hideOthers<Answer extends LockResult | LockAllResult>(answer: Answer): Answer {
  if (answer.status === 'timeout' || answer.status === 'deadlock') return { status: answer.status } as Answer;
  return answer;
}

/** A result that a request asked for, as its answer. */
export function withStatus<Described extends object>(result: Described | PendingResult<Described>): object {
  return mapResult(result, (described) => ({ status: 'ok', ...described }));
}
