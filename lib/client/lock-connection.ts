/** One connection to a lock server, and what is held through it: all of it ends with the connection. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { Dialer } from '../message/byte-stream.ts';
import {
  MessageClient,
  type MessageClientOptions,
  type RpcResult,
  type ServerEvent,
} from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { Hold, type HoldKeeper } from './hold.ts';
import type { LockLostCode } from './lock-error.ts';
import { type LockItem, type LockRequest, type Patience, remainingMs, toLease, toTimeLimit } from './lock-options.ts';
import { refusal } from './refusal.ts';
import { type HoldParameters, holdKey, UnansweredRequests } from './unanswered-requests.ts';

const PROTOCOL = 1;
const LOSSES: Readonly<Record<string, LockLostCode>> = { lease: 'leaseOver', forced: 'forced', stolen: 'stolen' };

const STEAL_DENIED = "a holder did not take it with stealable, and the server's setting forceUnlock is off";

/** How the connection is made. */
export interface LockConnectionOptions extends MessageClientOptions {
  /** Milliseconds until the server's answer is given up, beyond what the request itself may wait. */
  readonly requestTimeoutMs: number;
}

/** Asks for locks and keeps account of the holds. */
export class LockConnection extends MessageClient implements HoldKeeper {
  readonly #requestTimeoutMs: number;
  readonly #holds = new Map<number, Hold>();
  /** Late grants that were left to another call for the same hold which has not had its result. */
  readonly #leftGrants = new Map<string, number>();
  readonly #unanswered = new UnansweredRequests();
  /** Tokens of holds that are being given back, with the reason when the server had freed one before. */
  readonly #returning = new Map<number, LockLostCode | undefined>();
  #whenUnheld: (() => void) | undefined;

  constructor(options: LockConnectionOptions) {
    super(options);
    this.#requestTimeoutMs = options.requestTimeoutMs;
  }

  /**
   * Connects and greets the server. Rejects with the system's error, such as `ECONNREFUSED`, with a `MessageError`, with
   * the signal's reason, or with a `LockError` of the code `protocol` when the server does not speak this protocol.
   */
  async open(dial: Dialer, name: string | undefined, timeoutMs: number): Promise<void> {
    await this.connect(dial, { connectTimeoutMs: timeoutMs });
    try {
      const parameters = { protocol: PROTOCOL, ...(name === undefined ? {} : { name }) };
      const result = await this.rpc('hello', parameters, { timeoutMs });
      if (result.status === 'ok' && result.protocol === PROTOCOL) return;
      throw refusal(result.status === 'ok' ? { status: 'protocol' } : result, 'the server did not accept the greeting');
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Asks for a lock; resolves to null when a try-lock would have had to wait. Rejects as `LockClient.lock` does. */
  async acquire(owner: string, request: LockRequest): Promise<Hold | null> {
    const { name, mode, limit, leaseMs, steal, stealable } = request;
    const parameters = {
      lockName: name,
      owner,
      ...(mode === 'exclusive' ? {} : { mode }),
      ...(limit === undefined ? {} : { limit }),
      ...(leaseMs === undefined ? {} : { lease: toLease(leaseMs) }),
      ...(steal ? { steal } : {}),
      ...(stealable ? { stealable } : {}),
    };
    const sentMs = performance.now();
    const hold = await this.#ask('lock', parameters, request, (result) => {
      if (result.status === 'unavailable') return null;
      const what = `the lock ${JSON.stringify(name)} was not granted`;
      if (result.status === 'denied' && steal) throw refusal({ ...result, message: STEAL_DENIED }, what);
      if (result.status !== 'ok') throw refusal(result, what);
      return this.#addHold(name, mode, owner, result.token, result.count);
    });
    if (hold !== null && leaseMs !== undefined) await this.#startLease(hold, leaseMs, sentMs, request.signal);
    return hold;
  }

  /** Asks for all of several locks; resolves to null when a try-lock would have had to wait. */
  acquireAll(owner: string, items: readonly LockItem[], patience: Patience): Promise<readonly Hold[] | null> {
    const locks = items.map(({ name, mode, limit }) => ({
      lockName: name,
      ...(mode === undefined ? {} : { mode }),
      ...(limit === undefined ? {} : { limit }),
    }));
    return this.#ask('lockAll', { locks, owner }, patience, (result) => {
      if (result.status === 'unavailable') return null;
      if (result.status !== 'ok') {
        const names = items.map(({ name }) => JSON.stringify(name)).join(', ');
        throw refusal(result, `the locks ${names} were not granted`);
      }
      const [tokens, counts] = [result.tokens as readonly number[], result.counts as readonly number[]];
      return items.map(({ name, mode }, index) =>
        this.#addHold(name, mode ?? 'exclusive', owner, tokens[index], counts[index]),
      );
    });
  }

  async giveBack(hold: Hold): Promise<LockLostCode | undefined> {
    const { name, owner, token } = hold.grant;
    this.#holds.delete(token);
    this.#returning.set(token, undefined);
    try {
      const result = await this.rpc(
        'unlock',
        { lockName: name, owner, token },
        { timeoutMs: Number.POSITIVE_INFINITY },
      );
      return result.status === 'ok' ? undefined : (this.#returning.get(token) ?? 'forced');
    } catch (error) {
      // Without a connection there is nothing to give back: the server frees what the client held.
      return error instanceof MessageError && error.code === 'closed' ? 'closed' : 'connectionLost';
    } finally {
      this.#returning.delete(token);
      this.#tellIfUnheld();
    }
  }

  async renew(hold: Hold, leaseMs: number): Promise<boolean> {
    const { name, mode, owner, token } = hold.grant;
    const parameters = { lockName: name, owner, mode, lease: toLease(leaseMs), timeLimit: 0 };
    this.#unanswered.add(parameters);
    try {
      const result = await this.rpc('lock', parameters, { timeoutMs: Number.POSITIVE_INFINITY });
      if (result.status === 'ok' && result.token !== token) {
        // The lease was over when the renewal arrived, and the lock was free: that is a new grant, which nobody wants.
        this.notify('unlock', { token: result.token });
      }
      return result.status === 'ok' && result.token === token;
    } finally {
      this.#unanswered.answered(parameters);
    }
  }

  /** Calls back once no request that may still bring that hold, and that nobody awaits, is on its way. */
  whenAnswered(hold: HoldParameters, listener: () => void): void {
    this.#unanswered.whenAnswered(hold, listener);
  }

  /** Gives up all waits: they reject with the reason. */
  cancelWaits(reason: unknown): void {
    this.giveUpAll('lock', reason);
    this.giveUpAll('lockAll', reason);
  }

  /** Resolves once nothing is held, and what was given back is known to be free. */
  unheld(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenUnheld = resolve;
      this.#tellIfUnheld();
    });
  }

  protected override gaveUp(id: number, command: string, parameters: object): void {
    if (command === 'lock' || command === 'lockAll') this.notify('cancel', { id });
    if (command === 'lock') this.#unanswered.add(parameters);
  }

  /**
   * A grant that nobody waits for any more goes back at once. It is left alone when the owner had it already, or when
   * another call asks for the same lock under the same owner and so is granted the same hold.
   */
  protected override lateResult(result: RpcResult, command: string, parameters: object): void {
    if (command === 'lockAll' && result.status === 'ok') this.#giveBackAll(result, parameters);
    if (command !== 'lock') return;
    if (result.status === 'ok') this.#lateGrant(result, parameters);
    else this.#giveBackLeft(parameters);
    this.#unanswered.answered(parameters);
  }

  protected override lateError(command: string, parameters: object): void {
    if (command === 'lock') this.#unanswered.answered(parameters);
  }

  /** Somebody has the hold that a late grant was left for, or was refused it. */
  protected override timelyResult(result: RpcResult, command: string, parameters: object): void {
    if (command !== 'lock' || this.#leftGrants.size === 0) return;
    if (result.status === 'ok') this.#leftGrants.delete(holdKey(parameters));
    else this.#giveBackLeft(parameters);
  }

  protected override serverEvent(event: ServerEvent): void {
    if (event.event === 'lost' && typeof event.token === 'number') {
      const code = LOSSES[String(event.reason)] ?? 'forced';
      const hold = this.#holds.get(event.token);
      this.#holds.delete(event.token);
      if (this.#returning.has(event.token)) this.#returning.set(event.token, code);
      hold?.lose(code);
      this.#tellIfUnheld();
    }
    super.serverEvent(event);
  }

  protected override disconnected(): void {
    const code = this.state === 'closing' ? 'closed' : 'connectionLost';
    const holds = [...this.#holds.values()];
    this.#holds.clear();
    for (const hold of holds) hold.lose(code);
    this.#unanswered.clear();
    this.#whenUnheld?.();
  }

  /** The server measures the wait; should it not answer at all, the client gives up some time later. */
  #ask<Result>(
    command: string,
    parameters: object,
    patience: Patience,
    convert: (result: RpcResult) => Result,
  ): Promise<Result> {
    const waitMs = remainingMs(patience);
    const options = { timeoutMs: waitMs + this.#requestTimeoutMs, signal: patience.signal };
    return this.call(command, { ...parameters, timeLimit: toTimeLimit(waitMs) }, options, convert);
  }

  #addHold(name: string, mode: LockRequest['mode'], owner: string, token: unknown, count: unknown): Hold {
    const hold = new Hold({ name, mode, owner, token: Number(token), count: Number(count) }, this);
    this.#holds.set(hold.grant.token, hold);
    return hold;
  }

  /**
   * Resolves once the lease is known to run, or the hold to be lost. Should the call be given up meanwhile, the lock goes
   * back at once.
   */
  async #startLease(hold: Hold, leaseMs: number, sentMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { name, owner, mode } = hold.grant;
    let giveUp = (): void => {};
    const givenUp = new Promise<void>((resolve) => {
      giveUp = () => {
        void hold.giveBack();
        resolve();
      };
    });
    const stopListening = whenAborted(signal, giveUp);
    if (signal?.aborted === true) giveUp();
    await hold.startLease(leaseMs, sentMs);
    // Who asks again must not be granted what a late renewal got, and gives back.
    const answered = new Promise<void>((resolve) => this.whenAnswered({ lockName: name, owner, mode }, resolve));
    if (!hold.isHeld) await Promise.race([answered, givenUp]);
    stopListening();
  }

  #tellIfUnheld(): void {
    if (this.#holds.size === 0 && this.#returning.size === 0) this.#whenUnheld?.();
  }

  #lateGrant(result: RpcResult, parameters: object): void {
    const key = holdKey(parameters);
    const token = result.token as number;
    if (result.alreadyHeld !== undefined && this.#leftGrants.get(key) !== token) return;
    this.#leftGrants.set(key, token);
    this.#giveBackLeft(parameters);
  }

  /** Unless yet another call may be granted the hold. */
  #giveBackLeft(parameters: object): void {
    const key = holdKey(parameters);
    const token = this.#leftGrants.get(key);
    if (token === undefined) return;
    if (this.isWaitingFor((other, its) => other === 'lock' && holdKey(its) === key)) return;
    this.#leftGrants.delete(key);
    this.notify('unlock', { token });
  }

  #giveBackAll(result: RpcResult, parameters: object): void {
    const { locks } = parameters as { readonly locks: readonly { readonly lockName: string }[] };
    const tokens = result.tokens as readonly number[];
    const alreadyHeld = (result.alreadyHeld ?? []) as readonly string[];
    for (const [index, { lockName }] of locks.entries()) {
      if (!alreadyHeld.includes(lockName)) this.notify('unlock', { token: tokens[index] });
    }
  }
}
