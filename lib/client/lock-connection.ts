/** One connection to a lock server, and the holds that end with it. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { Dialer } from '../message/byte-stream.ts';
import {
  MessageClient,
  type MessageClientOptions,
  type RpcResult,
  type ServerEvent,
} from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { NumberedTable } from '../message/numbered-table.ts';
import { show } from '../message/show.ts';
import { pause } from '../message/timeout.ts';
import { GivenUpCalls, type HoldParameters } from './given-up-calls.ts';
import { type Moment, thisMoment } from './lease.ts';
import { LockError, type LockLostCode, LockLostError, refusal } from './lock-error.ts';
import { Hold, type HoldConnection, type Outside } from './lock-handle.ts';
import { type LockCall, lockKey, type RequestedLock, remainingMs } from './options.ts';

const PROTOCOL = 1;
const MS_A_SECOND = 1_000;
/** The longest time limit that the wire knows. */
const MAX_SECONDS = 1e9;
const LOSSES: Readonly<Record<string, LockLostCode>> = { lease: 'leaseOver', stolen: 'stolen' };

const STEAL_DENIED = "a holder did not take it with stealable, and the server's setting forceUnlock is off";

/** The commands that ask for locks, and wait for them. */
const LOCK_COMMANDS: readonly string[] = ['lock', 'lockAll'];

/** How the connection is made. */
export interface LockConnectionOptions extends MessageClientOptions {
  /** Milliseconds that the client waits for an answer, on top of the time that the request itself may wait. */
  readonly requestTimeoutMs: number;
  readonly outside: Outside;
}

/** The events of a connection. */
export interface LockConnectionEvents {
  event(event: ServerEvent): void;
  /** The server sent something that could not be understood. */
  failed(error: Error): void;
  closed(error: Error | undefined): void;
}

/** How a connection is opened. */
export interface OpenOptions {
  /** The name that the user gave the client. */
  readonly name: string | undefined;
  /** The name of a client that was given none. */
  readonly defaultName: string | undefined;
  /** Milliseconds for all of it. */
  readonly timeoutMs: number;
}

/** Asks for locks and keeps the holds. */
export class LockConnection implements HoldConnection {
  readonly outside: Outside;
  readonly #client: MessageClient;
  readonly #requestTimeoutMs: number;
  #isGreeted = false;
  /** A hold stays until the server has answered its unlock. */
  readonly #holds = new NumberedTable<Hold>();
  /** The same by their tokens; made when the first is lost, because keeping it for each lock doubles the cost of a lock. */
  #holdsByToken: Map<unknown, Hold> | undefined;
  readonly #givenUp: GivenUpCalls;
  /** Aborts when the last hold has ended while the client drains. */
  #unheld: AbortController | undefined;

  constructor(options: LockConnectionOptions, events: LockConnectionEvents) {
    const { maxMessageBytes, maxPendingRequests, maxUnsentBytes, requestTimeoutMs, outside } = options;
    this.outside = outside;
    this.#requestTimeoutMs = requestTimeoutMs;
    const limits = { maxMessageBytes, maxPendingRequests, maxUnsentBytes, requestTimeoutMs };
    this.#client = new MessageClient(limits as MessageClientOptions);
    this.#givenUp = new GivenUpCalls(this.#client);
    this.#client.on('event', (event) => {
      if (event.event === 'lost') this.#lost(event);
      events.event(event);
    });
    this.#client.on('error', (error) => {
      events.failed(error);
      if (!this.#isGreeted && !(error instanceof MessageError)) this.#client.drop(anotherProtocol(error));
    });
    this.#client.on('close', events.closed);
  }

  get isOpen(): boolean {
    return this.#client.state === 'open';
  }

  /**
   * Connects and greets the server, within `timeoutMs` in all. Rejects with the system's error, such as `ECONNREFUSED`, with a
   * `MessageError`, or with a `LockError` of the code `protocol` when the server does not speak this protocol.
   */
  async open(dial: Dialer, { name, defaultName, timeoutMs }: OpenOptions): Promise<void> {
    const client = this.#client;
    const endMs = performance.now() + timeoutMs;
    await client.connect(dial, { connectTimeoutMs: timeoutMs });
    try {
      const result = await this.#greet(name ?? defaultName, endMs);
      // A name that nobody chose is no reason to be refused.
      const isGivenUp = name === undefined && result.status === 'limit';
      requireGreeting(isGivenUp ? await this.#greet(undefined, endMs) : result);
      this.#isGreeted = true;
    } catch (error) {
      const { cause, code } = error as MessageError;
      const isInvalid = error instanceof MessageError && code === 'invalid';
      const failure = cause instanceof LockError ? cause : isInvalid ? anotherProtocol(error) : (error as Error);
      client.drop(failure);
      throw failure;
    }
  }

  #greet(name: string | undefined, endMs: number): Promise<RpcResult> {
    const timeoutMs = Math.ceil(Math.max(0, endMs - performance.now()));
    return this.#client.rpc('hello', { protocol: PROTOCOL, name }, { timeoutMs });
  }

  /** Closes the connection once everything has been sent; all that it holds is lost at once. */
  async close(): Promise<void> {
    const closed = this.#client.close();
    this.loseHolds('closed');
    await closed;
  }

  /** Ends an attempt to connect at once: nothing is held yet. */
  async abandon(): Promise<void> {
    const closed = this.close();
    this.#client.drop(new MessageError('closed', 'the client was closed'));
    await closed;
  }

  setReferenced(isReferenced: boolean): void {
    this.#client.setReferenced(isReferenced);
  }

  /** Tells the server another name of this client. */
  rename(name: string | undefined): void {
    this.#client.notify('identify', { name });
  }

  /** Sends any command. A request for a lock that is given up is withdrawn, as one of `acquire` is. */
  rpc(command: string, parameters: object, timeoutMs: number, signal?: AbortSignal): Promise<RpcResult> {
    const convert = (result: RpcResult): RpcResult => {
      if (command === 'lock') this.#givenUp.answeredInTime(parameters, result);
      return result;
    };
    const watcher = LOCK_COMMANDS.includes(command) ? this.#givenUp : undefined;
    return this.#client.call({ command, parameters, timeoutMs, signal, convert, watcher });
  }

  /**
   * Asks for one lock or for several; resolves to the holds in the order of the request, or to null when a try-lock would
   * have had to wait. Rejects as `LockClient.lock` does.
   */
  acquire(owner: string, call: LockCall): Promise<readonly Hold[] | null> {
    const { command, leaseMs, signal } = call;
    const timeLimitMs = remainingMs(call);
    const parameters = toParameters(owner, call, timeLimitMs);
    const timeoutMs = timeLimitMs + this.#requestTimeoutMs;
    const sent = leaseMs === undefined ? undefined : thisMoment();
    const convert = (result: RpcResult): readonly Hold[] | null => {
      if (this.#givenUp.leftGrants.size > 0) this.#givenUp.answeredInTime(parameters, result);
      if (result.status === 'unavailable') return null;
      if (result.status !== 'ok') throw this.#refusal(call, result);
      return this.#addHolds(owner, call, result);
    };
    const granted = this.#client.call({ command, parameters, timeoutMs, signal, convert, watcher: this.#givenUp });
    if (leaseMs === undefined || sent === undefined) return granted;
    return granted.then(async (holds) => {
      if (holds !== null) await Promise.all(holds.map((hold) => this.#startLease(hold, leaseMs, sent, signal)));
      return holds;
    });
  }

  async unlock(hold: Hold): Promise<LockLostError | undefined> {
    const { name, owner, token, leaseLeftMs } = hold;
    const timeoutMs = Math.min(this.#requestTimeoutMs, leaseLeftMs);
    let code: LockLostCode | undefined;
    try {
      const { status } = await this.rpc('unlock', { lockName: name, owner, token }, timeoutMs);
      if (status !== 'ok') code = hold.freed ?? 'forced';
    } catch (error) {
      code = this.#unlockFailed(error as MessageError, leaseLeftMs <= this.#requestTimeoutMs);
    }
    this.#forget(hold);
    return code && new LockLostError(code, name);
  }

  /** Without a connection the server frees the client's locks; so the client drops a connection that does not answer. */
  #unlockFailed(error: MessageError, endsWithLease: boolean): LockLostCode {
    if (error.code === 'closed') return 'closed';
    if (error.code !== 'timeout') return 'connectionLost';
    if (endsWithLease) return 'leaseOver';
    this.#client.drop(error);
    return 'connectionLost';
  }

  async renew(hold: Hold, leaseMs: number): Promise<boolean> {
    const { name, mode, owner, token } = hold;
    const parameters = { lockName: name, owner, mode, lease: leaseMs / MS_A_SECOND, timeLimit: 0 };
    this.#givenUp.add(parameters);
    try {
      const result = await this.rpc('lock', parameters, this.#requestTimeoutMs);
      if (result.status === 'ok' && result.token !== token) {
        // The lease had ended before the renewal arrived, and the lock was free. Nobody wants this new grant.
        this.#client.notify('unlock', { token: result.token });
      }
      return result.status === 'ok' && result.token === token;
    } finally {
      this.#givenUp.answered(parameters);
    }
  }

  /** Calls back once no abandoned request can bring this hold any more. */
  whenAnswered(hold: HoldParameters, listener: () => void): void {
    this.#givenUp.whenAnswered(hold, listener);
  }

  /** Gives up all waits for locks with the reason; resolves once each hold has been unlocked, or after `timeoutMs`. */
  async drain(timeoutMs: number, reason: unknown): Promise<void> {
    this.#client.giveUp(LOCK_COMMANDS, reason);
    this.#unheld = new AbortController();
    if (this.#holds.size > 0) await pause(timeoutMs, this.#unheld.signal);
  }

  /** The first hold of this client on one of these locks. */
  ownHold({ items }: LockCall): Hold | undefined {
    const keys = items.map(lockKey);
    return this.#holds.inOrder().find((hold) => hold.isHeld && keys.includes(lockKey(hold)));
  }

  #addHolds(owner: string, call: LockCall, result: RpcResult): readonly Hold[] {
    const isOne = call.command === 'lock';
    const tokens = isOne ? [result.token] : (result.tokens as readonly unknown[]);
    const counts = isOne ? [result.count] : (result.counts as readonly unknown[]);
    const holds: Hold[] = [];
    for (const [index, item] of call.items.entries()) {
      const hold = new Hold(item, owner, Number(tokens[index]), Number(counts[index]), this);
      this.#holds.add(hold);
      this.#holdsByToken?.set(hold.token, hold);
      holds.push(hold);
    }
    return holds;
  }

  #refusal({ command, items, steal }: LockCall, result: RpcResult): LockError {
    const names = items.map(({ name }) => show(name)).join(', ');
    const what = command === 'lock' ? `the lock ${names} was not granted` : `the locks ${names} were not granted`;
    if (result.status === 'denied' && steal) return refusal({ ...result, message: STEAL_DENIED }, what);
    const holders = Array.isArray(result.holders) ? (result.holders as readonly { readonly token: number }[]) : [];
    const tokens = holders.map(({ token }) => token);
    return refusal(
      result,
      what,
      this.#holds.inOrder().find(({ token }) => tokens.includes(token)),
    );
  }

  #lost({ token, reason }: ServerEvent): void {
    this.#holdsByToken ??= new Map(this.#holds.inOrder().map((hold) => [hold.token, hold]));
    const hold = this.#holdsByToken.get(token);
    if (hold?.lose(LOSSES[reason as string] ?? 'forced')) this.#forget(hold);
  }

  /** The server frees them, or has done so. */
  loseHolds(code: LockLostCode): void {
    this.#holdsByToken = undefined;
    for (const hold of this.#holds.takeAll()) hold.lose(code);
    this.#givenUp.clear();
    this.#unheld?.abort();
  }

  #forget(hold: Hold): void {
    this.#holds.delete(hold.id);
    this.#holdsByToken?.delete(hold.token);
    if (this.#holds.size === 0) this.#unheld?.abort();
  }

  /** Resolves once the lease is known to run, or the hold is lost. Unlocks as soon as the signal aborts. */
  async #startLease(hold: Hold, leaseMs: number, sent: Moment, signal: AbortSignal | undefined): Promise<void> {
    const stopListening = whenAborted(signal, () => void hold.unlock());
    if (signal?.aborted === true) void hold.unlock();
    await hold.startLease(leaseMs, sent);
    stopListening();
    if (hold.isHeld) return;
    // A late renewal may have got the lock once more. Asking again before that is unlocked would bring the same hold.
    const { name, owner, mode } = hold;
    const answered = new AbortController();
    this.whenAnswered({ lockName: name, owner, mode }, () => answered.abort());
    await pause(this.#requestTimeoutMs, answered.signal, signal);
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

/** The parameters on the wire. JSON leaves out those that are undefined. */
function toParameters(owner: string, call: LockCall, timeLimitMs: number): object {
  const { command, items, leaseMs, steal, stealable } = call;
  const lease = leaseMs && leaseMs / MS_A_SECOND;
  const seconds = timeLimitMs / MS_A_SECOND;
  const timeLimit = seconds > MAX_SECONDS ? false : seconds;
  if (command === 'lockAll') return { locks: items.map(toItemParameters), owner, lease, timeLimit };
  const { name, mode, limit } = items[0] as RequestedLock;
  // One literal, because spreading others into it takes a tenth of the time of a lock.
  return {
    lockName: name,
    owner,
    mode: mode === 'exclusive' ? undefined : mode,
    limit,
    lease,
    steal: steal || undefined,
    stealable: stealable || undefined,
    timeLimit,
  };
}

function toItemParameters({ name, mode, limit }: RequestedLock): object {
  return { lockName: name, mode: mode === 'exclusive' ? undefined : mode, limit };
}
