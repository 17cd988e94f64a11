/** Answers of one table made comparable: tokens go by the requests that they were granted to. */

import type { AcquireAllResult, AcquireResult, WaitResult } from '../../lib/locks/types.ts';
import type { AllGranted } from '../../lib/protocol.ts';

/** Whatever a request for locks is answered, now or later. */
export type Answer = AcquireResult | AcquireAllResult | WaitResult;

/**
 * Which requests one table's tokens were granted to. A grant goes by the context of its request; one of several by the
 * context and a fraction that tells which.
 */
export class Tokens {
  readonly #contexts: Map<number, number> = new Map();
  readonly #tokens: Map<number, number> = new Map();

  learn(token: number, context: number): void {
    this.#contexts.set(token, context);
    this.#tokens.set(context, token);
  }

  /** @throws when the token was never granted. */
  contextOf(token: number): number {
    const context = this.#contexts.get(token);
    if (context === undefined) throw new Error(`token ${token} was never granted`);
    return context;
  }

  knows(token: number): boolean {
    return this.#contexts.has(token);
  }

  tokenOf(context: number): number | undefined {
    return this.#tokens.get(context);
  }
}

/** Learns what was granted. The cycle of a deadlock is left out: the tables may find different ones. */
export function answerWithContext(answer: Answer, tokens: Tokens, context: number): Answer {
  if (answer.status === 'deadlock') return { status: 'deadlock', cycle: [] };
  if (answer.status === 'timeout') {
    const holders = answer.holders?.map((holder) => ({ ...holder, token: tokens.contextOf(holder.token) }));
    return { status: 'timeout', ...(holders === undefined ? {} : { holders }) };
  }
  if (answer.status !== 'ok') return answer;
  if ('tokens' in answer) return { ...answer, tokens: learnAll(answer, tokens, context) };
  if (answer.alreadyHeld !== true) tokens.learn(answer.token, context);
  return { ...answer, token: tokens.contextOf(answer.token) };
}

function learnAll(answer: AllGranted, tokens: Tokens, context: number): readonly number[] {
  return answer.tokens.map((token, index) => {
    if (!tokens.knows(token)) tokens.learn(token, context + (index + 1) / 8);
    return tokens.contextOf(token);
  });
}
