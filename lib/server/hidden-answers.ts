/** Answers where listings are forbidden: they must not reveal holders and waiters either. */

import type { LockAllResult, LockResult } from './lock-manager.ts';

/** The answer without what it tells of other clients. */
export function hideOthers<Answer extends LockResult | LockAllResult>(answer: Answer): Answer {
  if (answer.status === 'timeout' || answer.status === 'deadlock') return { status: answer.status } as Answer;
  return answer;
}
