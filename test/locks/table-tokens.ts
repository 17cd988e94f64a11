/** Makes the answers of two tables comparable: replaces tokens by the requests that they were granted to. */

import type { AcquireAllResult, AcquireResult, WaitResult } from '../../lib/locks/types.ts';
import type { AllGranted } from '../../lib/protocol.ts';

/** Any answer to a request for locks, now or later. */
export type Answer = AcquireResult | AcquireAllResult | WaitResult;

/**
 * The requests that the tokens of one table were granted to. A request is given by its context; one of several grants of
 * a request by the context plus a fraction.
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

/** Learns the granted tokens. Leaves out the cycle of a deadlock, because the tables may find different ones. */
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
