/** The answer to a request for locks, which waits until the session is on record (L2). */

import type { MessageId } from '../message/message-session.ts';
import { PendingResult } from '../message/pending-result.ts';
import type { NotGranted } from '../protocol.ts';
import type { LockAllResult, LockResult, ManagedSession } from './lock-manager.ts';

const NOT_RECORDED: NotGranted = { status: 'unavailable', reason: 'ledger' };

/** An answer that waits, and what settles it. */
interface RecordedAnswer<Answer extends object> {
  readonly confirmed: PendingResult<Answer>;
  /** The session is on record. */
  confirm(): void;
  /** It cannot be recorded: gives back what was granted. */
  refuse(): void;
}

/** Holds the answer back. The end of a session ends all that it has, so nothing is given back once `isOver` says so. */
export function onceRecorded<Answer extends LockResult | LockAllResult>(
  locks: ManagedSession,
  id: MessageId,
  answer: Answer | PendingResult<Answer>,
  isOver: () => boolean,
): RecordedAnswer<Answer> {
  const confirmed = new PendingResult<Answer>(answer instanceof PendingResult && answer.isOrdered);
  return {
    confirmed,
    confirm: () => whenAnswered(answer, (settled) => confirmed.settle(settled)),
    refuse: () => {
      if (!isOver()) {
        locks.cancel(id);
        whenAnswered(answer, (settled) => giveBack(locks, settled));
      }
      confirmed.settle(NOT_RECORDED as Answer);
    },
  };
}

function whenAnswered<Answer extends object>(
  answer: Answer | PendingResult<Answer>,
  use: (settled: Answer) => void,
): void {
  if (answer instanceof PendingResult) answer.whenSettled(use);
  else use(answer);
}

function giveBack(locks: ManagedSession, answer: LockResult | LockAllResult): void {
  if (answer.status !== 'ok') return;
  for (const token of 'tokens' in answer ? answer.tokens : [answer.token]) locks.release({ token });
}
