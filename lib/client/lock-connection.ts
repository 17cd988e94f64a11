/** One connection to a lock server, and what is held through it: all of it ends with the connection. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { Dialer } from '../message/byte-stream.ts';
import { makeGate } from '../message/gate.ts';
import {
  MessageClient,
  type MessageClientOptions,
  type RpcResult,
  type ServerEvent,
} from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { NumberedTable } from '../message/numbered-table.ts';
import { show } from '../message/show.ts';
import { startTimeout } from '../message/timeout.ts';
import { Hold, type HoldKeeper, type Outside } from './hold.ts';
import { type Moment, thisMoment } from './lease.ts';
import { LockError, type LockLostCode, LockLostError, refusal } from './lock-error.ts';
import { type AllRequest, type LockRequest, remainingMs, toLease, toTimeLimit } from './lock-options.ts';
import { type HoldParameters, holdKey, UnansweredRequests } from './unanswered-requests.ts';

const PROTOCOL = 1;
const LOSSES: Readonly<Record<string, LockLostCode>> = { lease: 'leaseOver', stolen: 'stolen' };

const STEAL_DENIED = "a holder did not take it with stealable, and the server's setting forceUnlock is off";

/** How the connection is made. */
export interface LockConnectionOptions extends MessageClientOptions {
  /** Milliseconds until the server's answer is given up, beyond what the request itself may wait. */
  readonly requestTimeoutMs: number;
  readonly outside: Outside;
}

/** How a connection is opened. */
export interface OpenOptions {
  /** The name that the client was given. */
  readonly name: string | undefined;
  /** The one that it has otherwise. */
  readonly defaultName: string | undefined;
  /** Milliseconds for all of it. */
  readonly timeoutMs: number;
}

/** Asks for locks and keeps account of the holds. */
export class LockConnection extends MessageClient implements HoldKeeper {
  readonly outside: Outside;
  readonly #requestTimeoutMs: number;
  /** Those that are being given back included, until the server has answered. */
  readonly #holds = new NumberedTable<Hold>();
  /** The same by their tokens; made when the first is lost, so that a client that loses none does not pay. */
  #holdsByToken: Map<unknown, Hold> | undefined;
  /** Late grants that were left to another call for the same hold which has not had its result. */
  readonly #leftGrants = new Map<string, number>();
  readonly #unanswered = new UnansweredRequests();
  #whenUnheld: (() => void) | undefined;

  constructor(options: LockConnectionOptions) {
    super(options);
    this.outside = options.outside;
    this.#requestTimeoutMs = options.requestTimeoutMs;
  }

  /**
   * Connects and greets the server, within `timeoutMs` in all. Rejects with the system's error, such as `ECONNREFUSED`, with a
   * `MessageError`, with the signal's reason, or with a `LockError` of the code `protocol` when the server does not speak this
   * protocol.
   */
  async open(dial: Dialer, { name, defaultName, timeoutMs }: OpenOptions): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    await this.connect(dial, { connectTimeoutMs: timeoutMs });
    let failure: unknown;
    const misunderstood = (cause: Error): void => {
      if (cause instanceof MessageError) return;
      failure = anotherProtocol(cause);
      this.drop(cause);
    };
    this.on('error', misunderstood);
    try {
      const leftMs = (): number => Math.max(0, endMs - performance.now());
      const result = await this.#greet(name ?? defaultName, leftMs());
      // A name that nobody chose is no reason to be refused.
      const isGivenUp = name === undefined && result.status === 'limit';
      requireGreeting(isGivenUp ? await this.#greet(undefined, leftMs()) : result);
    } catch (error) {
      failure ??= error instanceof MessageError && error.code === 'invalid' ? anotherProtocol(error) : error;
      this.drop(failure as Error);
      throw failure;
    } finally {
      this.off('error', misunderstood);
    }
  }

  /** Ends an attempt to connect at once: nothing is held yet. */
  async abandon(): Promise<void> {
    const closed = this.close();
    this.drop(new MessageError('closed', 'the client was closed'));
    await closed;
  }

  #greet(name: string | undefined, timeoutMs: number): Promise<RpcResult> {
    const parameters = { protocol: PROTOCOL, ...(name === undefined ? {} : { name }) };
    return this.rpc('hello', parameters, { timeoutMs: Math.ceil(timeoutMs) });
  }

  /** Asks for a lock; resolves to null when a try-lock would have had to wait. Rejects as `LockClient.lock` does. */
  acquire(owner: string, request: LockRequest): Promise<Hold | null> {
    const { name, mode, limit, leaseMs, steal, stealable, signal } = request;
    const waitMs = remainingMs(request);
    // What is undefined is not sent.
    const parameters = {
      lockName: name,
      owner,
      mode: mode === 'exclusive' ? undefined : mode,
      limit,
      lease: leaseMs && toLease(leaseMs),
      steal: steal || undefined,
      stealable: stealable || undefined,
      timeLimit: toTimeLimit(waitMs),
    };
    const isPlain = mode === 'exclusive' && (limit ?? leaseMs) === undefined && !(steal || stealable);
    const isNamed = typeof name === 'string' && typeof owner === 'string';
    const written = isPlain && isNamed ? write('lock', name, owner, 'timeLimit', parameters.timeLimit) : undefined;
    const sent = leaseMs === undefined ? undefined : thisMoment();
    const asked = this.#ask(
      'lock',
      parameters,
      waitMs,
      signal,
      (result) => {
        if (result.status === 'unavailable') return null;
        const what = `the lock ${show(name)} was not granted`;
        if (result.status === 'denied' && steal) throw refusal({ ...result, message: STEAL_DENIED }, what);
        if (result.status !== 'ok') throw refusal(result, what, this.#ownHold(result)?.grant);
        return this.#addHold(name, mode, owner, result.token, result.count);
      },
      written,
    );
    if (leaseMs === undefined || sent === undefined) return asked;
    return asked.then(async (hold) => {
      if (hold !== null) await this.#startLease(hold, leaseMs, sent, signal);
      return hold;
    });
  }

  /** Asks for all of several locks; resolves to null when a try-lock would have had to wait. */
  async acquireAll(owner: string, request: AllRequest): Promise<readonly Hold[] | null> {
    const { items, leaseMs, signal } = request;
    const locks = items.map(({ name, mode, limit }) => ({ lockName: name, mode, limit }));
    const waitMs = remainingMs(request);
    const parameters = { locks, owner, lease: leaseMs && toLease(leaseMs), timeLimit: toTimeLimit(waitMs) };
    const sent = thisMoment();
    const holds = await this.#ask('lockAll', parameters, waitMs, signal, (result) => {
      if (result.status === 'unavailable') return null;
      if (result.status !== 'ok') {
        const names = items.map(({ name }) => show(name)).join(', ');
        throw refusal(result, `the locks ${names} were not granted`, this.#ownHold(result)?.grant);
      }
      const [tokens, counts] = [result.tokens as readonly number[], result.counts as readonly number[]];
      return items.map(({ name, mode }, index) =>
        this.#addHold(name, mode ?? 'exclusive', owner, tokens[index], counts[index]),
      );
    });
    if (holds !== null && leaseMs !== undefined) {
      await Promise.all(holds.map((hold) => this.#startLease(hold, leaseMs, sent, signal)));
    }
    return holds;
  }

  giveBack(hold: Hold): Promise<LockLostError | undefined> {
    const { name, owner, token } = hold.grant;
    const leaseMs = hold.leaseLeftMs;
    const timeoutMs = this.#requestTimeoutMs;
    const answered = (code?: LockLostCode): LockLostError | undefined => {
      this.#forget(hold);
      return code && new LockLostError(code, name);
    };
    return this.call(
      'unlock',
      {},
      { timeoutMs: Math.min(timeoutMs, leaseMs) },
      ({ status }) => answered(status === 'ok' ? undefined : (hold.freed ?? 'forced')),
      write('unlock', name, owner, 'token', token),
    ).catch((error: MessageError) => answered(this.#unlockFailed(error, leaseMs <= timeoutMs)));
  }

  /** Without a connection the server frees what the client held; so does the end of a connection without an answer. */
  #unlockFailed(error: MessageError, endsWithLease: boolean): LockLostCode {
    if (error.code === 'closed') return 'closed';
    if (error.code === 'timeout') {
      if (endsWithLease) return 'leaseOver';
      this.drop(error);
    }
    return 'connectionLost';
  }

  async renew(hold: Hold, leaseMs: number): Promise<boolean> {
    const { name, mode, owner, token } = hold.grant;
    const parameters = { lockName: name, owner, mode, lease: toLease(leaseMs), timeLimit: 0 };
    this.#unanswered.add(parameters);
    try {
      const result = await this.rpc('lock', parameters, { timeoutMs: this.#requestTimeoutMs });
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
      if (this.#holds.size === 0) resolve();
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
    if (event.event === 'lost') {
      this.#holdsByToken ??= new Map(this.#holds.inOrder().map((hold) => [hold.grant.token, hold]));
      const hold = this.#holdsByToken.get(event.token);
      if (hold?.lose(LOSSES[event.reason as string] ?? 'forced')) this.#forget(hold);
    }
    super.serverEvent(event);
  }

  protected override disconnected(): void {
    const code = this.state === 'closing' ? 'closed' : 'connectionLost';
    this.#holdsByToken = undefined;
    for (const hold of this.#holds.takeAll()) hold.lose(code);
    this.#unanswered.clear();
    this.#whenUnheld?.();
  }

  /** The server measures the wait; should it not answer at all, the client gives up some time later. */
  #ask<Result>(
    command: string,
    parameters: object,
    waitMs: number,
    signal: AbortSignal | undefined,
    convert: (result: RpcResult) => Result,
    written?: string,
  ): Promise<Result> {
    return this.call(command, parameters, { timeoutMs: waitMs + this.#requestTimeoutMs, signal }, convert, written);
  }

  /** What keeps a request waiting and is held by this very client, if it is. */
  #ownHold({ holders }: RpcResult): Hold | undefined {
    const tokens = Array.isArray(holders) ? holders.map(({ token }: { readonly token: number }) => token) : [];
    return tokens.length === 0 ? undefined : this.#holds.inOrder().find(({ grant }) => tokens.includes(grant.token));
  }

  #addHold(name: string, mode: LockRequest['mode'], owner: string, token: unknown, count: unknown): Hold {
    const grant = { name, mode, owner, token: Number(token), count: Number(count) };
    const hold = new Hold(this.#holds.nextId(), grant, this);
    this.#holds.add(hold);
    this.#holdsByToken?.set(grant.token, hold);
    return hold;
  }

  #forget(hold: Hold): void {
    this.#holds.delete(hold.id);
    this.#holdsByToken?.delete(hold.grant.token);
    if (this.#holds.size === 0) this.#whenUnheld?.();
  }

  /**
   * Resolves once the lease is known to run, or the hold to be lost. Should the call be given up meanwhile, the lock goes
   * back at once.
   */
  async #startLease(hold: Hold, leaseMs: number, sent: Moment, signal: AbortSignal | undefined): Promise<void> {
    const { name, owner, mode } = hold.grant;
    const givenUp = makeGate();
    const giveUp = (): void => {
      void hold.giveBack();
      givenUp.resolve();
    };
    const stopListening = whenAborted(signal, giveUp);
    if (signal?.aborted === true) giveUp();
    await hold.startLease(leaseMs, sent);
    // Who asks again must not be granted what a late renewal got, and gives back.
    const answered = new Promise<void>((resolve) => this.whenAnswered({ lockName: name, owner, mode }, resolve));
    if (!hold.isHeld) {
      const stopTimeout = startTimeout(this.#requestTimeoutMs, givenUp.resolve);
      await Promise.race([answered, givenUp.promise]);
      stopTimeout();
    }
    stopListening();
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

/** @throws LockError when the server did not accept the greeting, or speaks another protocol. */
function requireGreeting(result: RpcResult): void {
  if (result.status === 'ok' && result.protocol === PROTOCOL) return;
  throw refusal(result.status === 'ok' ? { status: 'protocol' } : result, 'the server did not accept the greeting');
}

function anotherProtocol(cause: Error): LockError {
  return new LockError('protocol', `the server does not speak this protocol: ${cause.message}`, { cause });
}

/** The two most frequent requests as `call` takes them, in a fraction of the time that `JSON.stringify` needs. */
function write(command: string, name: string, owner: string, member: string, value: number | false): string {
  const names = `"lockName":${JSON.stringify(name)},"owner":${JSON.stringify(owner)}`;
  return `{"command":"${command}","parameters":{${names},"${member}":${JSON.stringify(value)}}`;
}
