/** What the events of the lock table say, for the naive one to follow. */

import type { TableEvent, WaitResult } from '../../lib/locks/types.ts';
import type { NaiveEvent } from './naive-types.ts';
import { answerWithContext, type Tokens } from './table-tokens.ts';

/** Whether somebody took a lock away. */
export function isTaken(event: TableEvent): boolean {
  return event.kind === 'lost' && (event.hold.reason === 'stolen' || event.hold.reason === 'forced');
}

/** The contexts of the requests that were answered, with this status if it is given. */
export function contextsOf(events: readonly TableEvent[], status?: WaitResult['status']): readonly number[] {
  return events.flatMap((event) => {
    const isMeant = event.kind === 'answered' && (status === undefined || event.result.status === status);
    return isMeant ? [event.context as number] : [];
  });
}

/** With the context of its request instead of each token. */
export function eventWithContext(event: NaiveEvent, tokens: Tokens): NaiveEvent {
  if (event.kind === 'lost') return { ...event, hold: { ...event.hold, token: tokens.contextOf(event.hold.token) } };
  return { ...event, result: answerWithContext(event.result, tokens, event.context) as WaitResult };
}

/** Messages are for people and may differ. */
export function withoutMessage(result: { status: string }): { status: string } {
  return result.status === 'invalid' ? { status: result.status } : result;
}
