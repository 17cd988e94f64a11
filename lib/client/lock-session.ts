/** A client's session with a lock server: what it holds and awaits, on one connection after the other. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { Dialer } from '../message/byte-stream.ts';
import type { Call } from '../message/call.ts';
import {
  MessageClient,
  type MessageClientOptions,
  type RpcResult,
  type ServerEvent,
} from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { type Moment, thisMoment } from '../message/moment.ts';
import { show } from '../message/show.ts';
import { pause } from '../message/timeout.ts';
import type { SessionInformation } from '../protocol.ts';
import { GivenUpCalls, type HoldParameters } from './given-up-calls.ts';
import { anotherProtocol, greetingFailure, PROTOCOL, requireGreeting } from './greeting.ts';
import { Holds } from './holds.ts';
import { type LockError, type LockLostCode, LockLostError, lossCode, refusal } from './lock-error.ts';
import { Hold, type HoldSession, type Outside } from './lock-handle.ts';
import { type LockCall, remainingMs, toParameters } from './options.ts';
import { SessionLife } from './session-life.ts';

const MS_A_SECOND = 1_000;

const STEAL_DENIED = "a holder did not take it with stealable, and the server's setting forceUnlock is off";

/** The answers to a renewal that tell whether the lock is still held; an `unavailable` with a reason does not. */
const ANSWERS_OF_RENEWAL: readonly string[] = ['ok', 'unavailable'];

/** The commands that ask for locks, and wait for them. */
const LOCK_COMMANDS: readonly string[] = ['lock', 'lockAll'];

/** How the session is made. */
interface LockSessionOptions extends MessageClientOptions {
  /** Milliseconds that the client waits for an answer, on top of the time that the request itself may wait. */
  readonly requestTimeoutMs: number;
  readonly outside: Outside;
  /** Whether the session outlives a connection. */
  readonly isKept: boolean;
  /** Milliseconds within which the client must come back; 20,000 by default. */
  readonly timeoutMs: number | undefined;
}

/** The events of a session. */
interface LockSessionEvents {
  event(event: ServerEvent): void;
  /** The server sent something that could not be understood. */
  failed(error: Error): void;
  /** The connection is gone. */
  closed(error: Error | undefined): void;
  /** No answer came in time, and all holds were given up. */
  over(): void;
}

/** How a connection is opened. */
interface OpenOptions {
  /** The name that the user gave the client. */
  readonly name: string | undefined;
  /** The name of a client that was given none. */
  readonly defaultName: string | undefined;
  /** Milliseconds for all of it. */
  readonly timeoutMs: number;
}

/** Asks for locks and keeps the holds. */
export class LockSession implements HoldSession {
  readonly outside: Outside;
  readonly #client: MessageClient;
  readonly #requestTimeoutMs: number;
  #isGreeted = false;
  readonly #holds = new Holds();
  readonly #givenUp: GivenUpCalls;
  /** Suspends and resumes it. */
  readonly life: SessionLife;

  constructor(options: LockSessionOptions, events: LockSessionEvents) {
    const { maxMessageBytes, maxPendingRequests, maxUnsentBytes, requestTimeoutMs, outside, isKept } = options;
    this.outside = outside;
    this.#requestTimeoutMs = requestTimeoutMs;
    const limits = { maxMessageBytes, maxPendingRequests, maxUnsentBytes, requestTimeoutMs };
    this.#client = new MessageClient(limits as MessageClientOptions, {
      keepsCalls: isKept,
      // A greeting counts once the server has taken it, and all that it asks the client to reclaim (S4).
      sent: (id) => this.#isGreeted && this.life.deadline.sent(id),
      answered: (id) => this.#isGreeted && this.life.deadline.answered(id),
      leaves: (reason) => this.life.abandons(reason),
    });
    this.#givenUp = new GivenUpCalls(this.#client);
    const { timeoutMs } = options;
    const parts = { client: this.#client, holds: this.#holds, givenUp: this.#givenUp };
    this.life = new SessionLife({ ...parts, isKept, timeoutMs, over: events.over });
    this.#client.on('event', (event) => {
      if (event.event === 'lost') this.#holds.lose(event.token, lossCode(event.reason));
      if (event.event === 'ended') this.life.end();
      events.event(event);
      // The server has begun to close the connection, so its end ends nothing (S1).
      if (event.event === 'goaway') this.#client.drop();
    });
    this.#client.on('error', (error) => {
      events.failed(error);
      if (!this.#isGreeted && !(error instanceof MessageError)) this.life.leave(anotherProtocol(error));
    });
    this.#client.on('close', (error) => {
      this.#isGreeted = false;
      this.life.deadline.disconnected();
      events.closed(error);
    });
  }

  get isOpen(): boolean {
    return this.#client.state === 'open';
  }

  /** Whether the client may rely on what it holds (S6). */
  get isConfirmed(): boolean {
    return this.life.deadline.isConfirmed;
  }

  /** Asks the server whether the session goes on; resolves once that is known. */
  async confirm(): Promise<void> {
    await this.life.deadline.ask();
  }

  /**
   * Connects, greets the server and opens or resumes the session, within `timeoutMs` in all; resolves to whether it goes on. Rejects
   * with the system's error, such as `ECONNREFUSED`, with a `MessageError`, or with a `LockError` of the code `protocol` when the
   * server does not speak this protocol.
   */
  async open(dial: Dialer, { name, defaultName, timeoutMs }: OpenOptions): Promise<boolean> {
    const client = this.#client;
    const endMs = performance.now() + timeoutMs;
    await client.connect(dial, { connectTimeoutMs: timeoutMs });
    const sent = thisMoment();
    try {
      const result = await this.#greet(name ?? defaultName, endMs);
      // A name that nobody chose is no reason to be refused.
      const isGivenUp = name === undefined && result.status === 'limit';
      const greeting = isGivenUp ? await this.#greet(undefined, endMs) : result;
      requireGreeting(greeting);
      const told = greeting.session as SessionInformation | undefined;
      if (told?.state === 'reclaim') await this.life.reclaim(greeting, endMs);
      this.#isGreeted = true;
      return this.life.begin(greeting, sent);
    } catch (error) {
      const failure = greetingFailure(error);
      this.life.leave(failure);
      throw failure;
    }
  }

  #greet(name: string | undefined, endMs: number): Promise<RpcResult> {
    const timeoutMs = Math.ceil(Math.max(0, endMs - performance.now()));
    return this.life.ask(
      'hello',
      { protocol: PROTOCOL, name, session: this.life.listed(), ...this.life.confirming },
      timeoutMs,
    );
  }

  /** Closes the connection once everything has been sent; all that it holds is lost at once. */
  async close(): Promise<void> {
    this.life.close();
    await this.#client.close();
  }

  /** Closes without waiting until everything has been sent. */
  async closeNow(): Promise<void> {
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
    return this.#rpc({ command, parameters, timeoutMs, signal });
  }

  #rpc(
    call: Pick<Call<RpcResult>, 'command' | 'parameters' | 'timeoutMs' | 'signal' | 'isExempt'>,
  ): Promise<RpcResult> {
    const { command, parameters } = call;
    const convert = (result: RpcResult): RpcResult => {
      if (command === 'lock') this.#givenUp.answeredInTime(parameters, result);
      return result;
    };
    const watcher = LOCK_COMMANDS.includes(command) ? this.#givenUp : undefined;
    return this.#client.call({ ...call, convert, watcher });
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
    this.life.deadline.watch();
    const convert = (result: RpcResult): readonly Hold[] | null => {
      if (this.#givenUp.leftGrants.size > 0) this.#givenUp.answeredInTime(parameters, result);
      const isTry = timeLimitMs === 0;
      // Others are told the cause: null would tell them that they asked for a try-lock.
      if (result.status === 'unavailable' && isTry && result.reason !== 'ledger') return null;
      if (result.status !== 'ok') throw this.#refusal(call, result);
      return this.#addHolds(owner, call, result);
    };
    const watcher = this.#givenUp;
    const granted = this.#client.call({
      command,
      parameters,
      timeoutMs,
      signal,
      convert,
      watcher,
      keptUntilMs: call.endMs,
    });
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
      const { status } = await this.#tell('unlock', { lockName: name, owner, token }, timeoutMs);
      if (status !== 'ok') code = hold.freed ?? 'forced';
    } catch (error) {
      code = await this.#unlockFailed(error as MessageError, leaseLeftMs <= this.#requestTimeoutMs);
    }
    this.#holds.delete(hold);
    return code && new LockLostError(code, name);
  }

  /** Sends what concerns a hold. A server that has restarted does not know the hold before the session goes on. */
  async #tell(command: string, parameters: object, timeoutMs: number): Promise<RpcResult> {
    if (this.life.isSuspended) throw new MessageError('closed', 'the client is not connected');
    return await this.#rpc({ command, parameters, timeoutMs, isExempt: true });
  }

  /** A hold that is not listed when the session goes on is freed; so the client leaves a connection that does not answer. */
  async #unlockFailed(error: MessageError, endsWithLease: boolean): Promise<LockLostCode | undefined> {
    if (error.code === 'timeout') {
      if (endsWithLease) return 'leaseOver';
      this.life.leave(error);
      return 'connectionLost';
    }
    const outcome = await this.life.outcome(this.#requestTimeoutMs);
    if (outcome === 'resumed') return undefined;
    return error.code === 'closed' && outcome === undefined ? 'closed' : 'connectionLost';
  }

  async renew(hold: Hold, leaseMs: number): Promise<boolean> {
    const { name, mode, owner, token } = hold;
    const parameters = { lockName: name, owner, mode, lease: leaseMs / MS_A_SECOND, timeLimit: 0 };
    await this.life.outcome(this.#requestTimeoutMs);
    if (!hold.isWanted) return false;
    this.#givenUp.add(parameters);
    try {
      const result = await this.#tell('lock', parameters, this.#requestTimeoutMs);
      if (result.status === 'ok' && result.token !== token) {
        // The lease had ended before the renewal arrived, and the lock was free. Nobody wants this new grant.
        this.#client.notify('unlock', { token: result.token });
      }
      // Otherwise the server has refused the request, and the lease still runs.
      if (!ANSWERS_OF_RENEWAL.includes(result.status) || result.reason !== undefined)
        throw refusal(result, 'not renewed');
      return result.status === 'ok' && result.token === token;
    } finally {
      this.#givenUp.answered(parameters);
    }
  }

  /** Calls back once no request that was given up can bring this hold any more. */
  whenAnswered(hold: HoldParameters, listener: () => void): void {
    this.#givenUp.whenAnswered(hold, listener);
  }

  /** Gives up all waits for locks with the reason; resolves once each hold has been unlocked, or after `timeoutMs`. */
  async drain(timeoutMs: number, reason: unknown): Promise<void> {
    this.#client.giveUp(LOCK_COMMANDS, reason);
    await this.#holds.untilNone(timeoutMs);
  }

  /** The first hold of this client on one of these locks. */
  ownHold(call: LockCall): Hold | undefined {
    return this.#holds.find(call);
  }

  #addHolds(owner: string, call: LockCall, result: RpcResult): readonly Hold[] {
    const isOne = call.command === 'lock';
    const tokens = isOne ? [result.token] : (result.tokens as readonly unknown[]);
    const counts = isOne ? [result.count] : (result.counts as readonly unknown[]);
    const holds: Hold[] = [];
    for (const [index, item] of call.items.entries()) {
      const hold = new Hold(item, owner, Number(tokens[index]), Number(counts[index]), this);
      if (call.stealable === true) hold.isStealable = true;
      this.#holds.add(hold);
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
    return refusal(result, what, this.#holds.findByTokens(tokens));
  }

  /** Resolves once the lease is known to run, or the hold is lost. Unlocks as soon as the signal aborts. */
  async #startLease(hold: Hold, leaseMs: number, sent: Moment, signal: AbortSignal | undefined): Promise<void> {
    const stopListening = whenAborted(signal, () => void hold.unlock());
    if (signal?.aborted === true) void hold.unlock();
    await hold.startLease(leaseMs, sent);
    stopListening();
    if (hold.isWanted) return;
    // A late renewal may have taken the lock once more. Wait until that is unlocked: asking again would bring the same hold.
    const { name, owner, mode } = hold;
    const answered = new AbortController();
    this.whenAnswered({ lockName: name, owner, mode }, () => answered.abort());
    await pause(this.#requestTimeoutMs, answered.signal, signal);
  }
}
