/**
 * Abandoned requests, which nobody waits for any more but which may still bring a grant: calls that were given up, and renewals
 * that may reach the server after their lease has ended.
 */

import type { Call, CallWatcher, RpcResult } from '../message/call.ts';
import type { MessageClient } from '../message/message-client.ts';

/** The parameters of `lock` that tell which hold the request is for. */
export interface HoldParameters {
  readonly lockName?: unknown;
  readonly owner?: unknown;
  readonly mode?: unknown;
}

interface Unanswered {
  count: number;
  readonly listeners: (() => void)[];
}

/** Cancels them on the server, unlocks their late grants, and calls back when the last one for a hold is answered. */
export class GivenUpCalls implements CallWatcher {
  readonly #client: MessageClient;
  readonly #unanswered = new Map<string, Unanswered>();
  /** The tokens of late grants that are left to another call for the same hold. */
  readonly leftGrants: Map<string, number> = new Map<string, number>();

  constructor(client: MessageClient) {
    this.#client = client;
  }

  gaveUp({ command, parameters }: Call<unknown>, id: number): void {
    this.#client.notify('cancel', { id });
    if (command === 'lock') this.add(parameters);
  }

  /**
   * Unlocks a late grant at once. Leaves it alone when the owner had the lock already, or when another call asks for the same
   * lock with the same owner: the server grants that call the same hold.
   */
  answeredLate({ command, parameters }: Call<unknown>, result: RpcResult | undefined): void {
    if (command === 'lockAll') {
      if (result?.status === 'ok') this.#unlockAll(result, parameters);
      return;
    }
    if (result?.status === 'ok') this.#lateGrant(result, parameters);
    else if (result !== undefined) this.#unlockLeft(parameters);
    this.answered(parameters);
  }

  /** Another `lock` has its result: it has got the hold that a late grant left to it, or was refused. */
  answeredInTime(parameters: HoldParameters, { status }: RpcResult): void {
    if (status === 'ok') this.leftGrants.delete(holdKey(parameters));
    else this.#unlockLeft(parameters);
  }

  /** Nobody will use the grant of a request that was sent. */
  add(parameters: HoldParameters): void {
    const key = holdKey(parameters);
    const unanswered = this.#unanswered.get(key);
    if (unanswered === undefined) this.#unanswered.set(key, { count: 1, listeners: [] });
    else unanswered.count += 1;
  }

  /** One of them was answered, and its grant was unlocked. */
  answered(parameters: HoldParameters): void {
    const key = holdKey(parameters);
    const unanswered = this.#unanswered.get(key);
    if (unanswered === undefined) return;
    unanswered.count -= 1;
    if (unanswered.count > 0) return;
    this.#unanswered.delete(key);
    for (const tell of unanswered.listeners) tell();
  }

  /** Calls back once all given-up requests for this hold were answered; at once if there are none. */
  whenAnswered(parameters: HoldParameters, listener: () => void): void {
    const unanswered = this.#unanswered.size > 0 && this.#unanswered.get(holdKey(parameters));
    if (!unanswered) listener();
    else unanswered.listeners.push(listener);
  }

  /** The connection is gone: no more answers come. */
  clear(): void {
    const holds = [...this.#unanswered.values()];
    this.#unanswered.clear();
    this.leftGrants.clear();
    for (const { listeners } of holds) for (const tell of listeners) tell();
  }

  #lateGrant(result: RpcResult, parameters: HoldParameters): void {
    const key = holdKey(parameters);
    const token = result.token as number;
    if (result.alreadyHeld !== undefined && this.leftGrants.get(key) !== token) return;
    this.leftGrants.set(key, token);
    this.#unlockLeft(parameters);
  }

  /** Unless yet another call may be granted the hold. */
  #unlockLeft(parameters: HoldParameters): void {
    const key = holdKey(parameters);
    const token = this.leftGrants.get(key);
    if (token === undefined) return;
    if (this.#client.calls().some((other) => other.command === 'lock' && holdKey(other.parameters) === key)) return;
    this.leftGrants.delete(key);
    this.#client.notify('unlock', { token });
  }

  #unlockAll(result: RpcResult, parameters: object): void {
    const { locks } = parameters as { readonly locks: readonly { readonly lockName: string }[] };
    const tokens = result.tokens as readonly number[];
    const alreadyHeld = (result.alreadyHeld ?? []) as readonly string[];
    for (const [index, { lockName }] of locks.entries()) {
      if (!alreadyHeld.includes(lockName)) this.#client.notify('unlock', { token: tokens[index] });
    }
  }
}

/** Equal for two requests exactly when they are for one hold: the same lock with the same owner. */
function holdKey({ lockName, owner, mode }: HoldParameters): string {
  return JSON.stringify([lockName, owner ?? '', mode === 'permit']);
}
