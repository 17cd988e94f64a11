/** Keeps one connection to the server: opens it when it is first needed, and again after it was lost, until the client is closed. */

import type { Dialer } from '../message/byte-stream.ts';
import { makeGate } from '../message/gate.ts';
import type { RpcOptions, RpcResult, ServerEvent } from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { tell } from '../message/tell.ts';
import { AttemptDelay } from './attempt-delay.ts';
import {
  failedToConnect,
  type IsRefusal,
  isPermanent,
  isReasonOf,
  LockClosedError,
  LockUnreachableError,
  nobodyListens,
  noConnection,
} from './lock-error.ts';
import type { Outside, TraceRequest } from './lock-handle.ts';
import { LockSession } from './lock-session.ts';
import { ABOVE_ZERO, type ClientOptions, FROM_ZERO, type OptionRules, requireOptions, SIGNAL } from './options.ts';
import { silence } from './session-life.ts';
import { type ConnectionPatience, WaitingCalls } from './waiting-calls.ts';

const RPC_OPTIONS: OptionRules = { timeoutMs: FROM_ZERO, signal: SIGNAL };
const SESSION_OPTIONS: OptionRules = { timeoutMs: ABOVE_ZERO };
const RECONNECT_OPTIONS: OptionRules = { minDelayMs: FROM_ZERO, maxDelayMs: FROM_ZERO };

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** While the session is suspended, its time is short. */
const MAX_SUSPENDED_DELAY_MS = 500;
const ATTEMPT_SHARE = 1 / 4;
/** A connection that lasted at least this long was a good one: the delays begin anew. */
const STABLE_MS = 1_000;

/** Where a client runs. */
export interface Surroundings {
  /** Runs code that calls listeners, in no request's asynchronous context where there is such a thing. */
  readonly outside: Outside;
  /** The name of a client that was given none. */
  readonly defaultName: string | undefined;
  readonly isRefusal: IsRefusal;
  /** Left out where nobody can observe the client. */
  readonly traceRequest?: TraceRequest;
}

/** The events of a client. */
export interface LockClientEvents {
  /** There is a connection; the first, or a further one. */
  connect: () => void;
  /** The connection was lost; the error says why. What is held is lost, too, unless `suspend` follows. */
  disconnect: (error: Error | undefined) => void;
  /** What is held and awaited stays if the client is connected again in time. */
  suspend: () => void;
  /** It goes on: nothing was lost but what the handles tell. */
  resume: () => void;
  /** An attempt to connect failed, or the server sent something that could not be understood. */
  error: (error: Error) => void;
  /** The server sent an event, such as `lost`. */
  event: (event: ServerEvent) => void;
  /** The client is closed for good. */
  close: () => void;
}

/** Emits the events to listeners. */
interface Emitter {
  emit(name: keyof LockClientEvents, ...details: readonly unknown[]): boolean;
}

interface Closing {
  readonly kind: 'closing';
  /** Until what is held is released. */
  isConnected: boolean;
  /** Whether that is awaited: the session goes on then, over the loss of a connection too. */
  isDraining: boolean;
  readonly gone: Promise<void>;
}

type State =
  | { readonly kind: 'idle' | 'connecting' | 'suspended' | 'reconnecting' | 'closed' }
  | { readonly kind: 'connected'; readonly sinceMs: number }
  | Closing;

/**
 * `idle`: not connected, and no call waits for it. `connecting`: the first connection is being opened. `connected`. `suspended`:
 * the connection was lost, and what is held and awaited stays if another is opened in time. `reconnecting`: it was lost with
 * all that was held, or could not be opened, and is being opened again. `closing`: no new calls for locks. `closed`:
 * for good.
 */
export type ClientState = State['kind'];

/** Makes attempts until one succeeds, and again when the connection is lost. */
export class ConnectionKeeper {
  readonly #dial: Dialer;
  readonly #options: ClientOptions;
  readonly #surroundings: Surroundings;
  readonly #emitter: Emitter;
  /** Milliseconds that a call waits for its answer. */
  readonly requestTimeoutMs: number;
  /** Whether new calls wait for the next connection. */
  readonly whileDisconnected: 'wait' | 'fail';
  readonly #connectTimeoutMs: number;
  /** Only the keeper sets it. */
  state: State = { kind: 'idle' };
  /** The name by which others see the client, from the next connection on. */
  name: string | undefined;
  /** Calls so far. After a loss they are made again in the order of their numbers. */
  callCount = 0;
  readonly #waiting = new WaitingCalls();
  readonly #closing = new AbortController();
  /** Aborts when the client is closed, with the error of the calls that still wait. */
  readonly closing: AbortSignal = this.#closing.signal;
  /** Aborts when calls that were answered `draining` are to be made again. */
  #pauses = new AbortController();
  /** What is held and awaited. */
  readonly session: LockSession;
  /** Before the next attempt. */
  readonly #delay: AttemptDelay;
  #wasConnected = false;
  #lastError: Error | undefined;
  #isReferenced = true;

  /** @throws LockInvalidError when a number or a choice among the options makes no sense. */
  constructor(dial: Dialer, options: ClientOptions, surroundings: Surroundings, emitter: Emitter) {
    requireOptions(options.reconnect || {}, RECONNECT_OPTIONS, 'reconnect');
    this.#dial = dial;
    this.#delay = new AttemptDelay(options.reconnect || {}, () => this.#attempt());
    this.#options = options;
    this.#surroundings = surroundings;
    this.#emitter = emitter;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.requestTimeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    this.whileDisconnected = options.whileDisconnected ?? 'wait';
    this.name = options.name;
    const { session = {} } = options;
    const { timeoutMs } = requireOptions(session || {}, SESSION_OPTIONS, 'session');
    const { requestTimeoutMs } = this;
    const { outside } = surroundings;
    const isKept = session !== false && this.reconnects;
    this.session = new LockSession(
      { ...options, requestTimeoutMs, outside, isKept, timeoutMs },
      {
        event: (event) => this.#emit('event', event),
        failed: (error) => this.#emit('error', error),
        closed: (error) => this.#ended(error),
        over: () => {
          if (this.state.kind === 'suspended') this.state = { kind: 'reconnecting' };
          // Nothing may ever come from a connection that does not answer, although it is open.
          if (this.state.kind === 'connected') this.session.life.leave(silence());
        },
      },
    );
  }

  /** Whether a lost connection is opened again. */
  get reconnects(): boolean {
    return this.#options.reconnect !== false;
  }

  /** The session while there is a connection. */
  get connectedSession(): LockSession | undefined {
    const { state } = this;
    return state.kind === 'connected' || (state.kind === 'closing' && state.isConnected) ? this.session : undefined;
  }

  /** Aborts when the connection is lost, or the client is closed. */
  get connectionEnd(): AbortSignal {
    return this.#pauses.signal;
  }

  /** Makes a first attempt to connect; rejects with its error, or `unreachable` when its time was over. */
  async connect(): Promise<void> {
    // An attempt has a limit of its own; the delay before it has none.
    const timeoutMs = this.state.kind === 'reconnecting' ? this.#connectTimeoutMs : Number.POSITIVE_INFINITY;
    try {
      await this.#obtain({ timeoutMs, whenFailed: 'fail' }, () => {});
    } catch (error) {
      throw failedToConnect(error);
    }
  }

  /** Sends a command, once there is a connection. */
  async rpc(command: string, parameters: object, options: RpcOptions = {}): Promise<RpcResult> {
    const { timeoutMs = this.requestTimeoutMs, signal } = requireOptions(options, RPC_OPTIONS);
    this.callCount += 1;
    const patience = { timeoutMs, signal, whenFailed: this.whileDisconnected, order: this.callCount };
    const { asked } = await this.ask(patience, (session) => session.rpc(command, parameters, timeoutMs, signal));
    return await asked;
  }

  /**
   * Asks as soon as there is a connection. Wraps the promise, so that the caller can wait for the sending alone. Rejects with
   * a `MessageError`, `closed`; with the signal's reason; or with a `LockError`, `unreachable` or that of an attempt after which
   * no other can succeed. With `whenFailed: 'fail'` it rejects after the first attempt that failed.
   */
  async ask<Result>(
    patience: ConnectionPatience,
    ask: (session: LockSession) => Promise<Result>,
  ): Promise<{ readonly asked: Promise<Result> }> {
    try {
      if (this.state.kind === 'reconnecting' && patience.whenFailed === 'fail') {
        const cause = this.#lastError;
        throw new MessageError('connectionLost', `not connected: ${describe(cause)}`, { cause });
      }
      return await this.#obtain(patience, (session) => ({ asked: ask(session) }));
    } catch (error) {
      const isClosed = error instanceof MessageError && error.code === 'closed';
      throw isClosed || isReasonOf(patience.signal, error) ? error : noConnection(error);
    }
  }

  /** Whether a call that rejected with this error may succeed when it is made again: only the connection was missing. */
  isPassing(error: unknown): boolean {
    return error instanceof LockUnreachableError && !isPermanent(error.cause, this.#surroundings.isRefusal);
  }

  /** Whether the connection, or waiting for the next attempt, keeps the process alive. */
  setReferenced(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    this.connectedSession?.setReferenced(isReferenced);
    this.#delay.setReferenced(isReferenced);
  }

  /** Ends all waits, waits up to `drainMs` milliseconds until all locks are released, then closes the connection. */
  async close(options: { readonly drainMs?: number }): Promise<void> {
    const { drainMs = 0 } = requireOptions(options, { drainMs: FROM_ZERO });
    if (!this.closing.aborted) {
      const { promise, resolve } = makeGate();
      const isConnected = this.connectedSession !== undefined;
      const closing: Closing = { kind: 'closing', isConnected, isDraining: drainMs > 0, gone: promise };
      // Set first: listeners might call `close` again.
      this.state = closing;
      void this.#close(closing, drainMs).then(resolve);
    }
    if (this.state.kind === 'closing') await this.state.gone;
  }

  async #close(closing: Closing, drainMs: number): Promise<void> {
    const reason = new LockClosedError();
    const { session } = this;
    const isDelayed = this.#delay.stop();
    this.#stop(reason);
    if (closing.isDraining) {
      if (isDelayed) this.#scheduleNext();
      await session.drain(drainMs, reason);
      closing.isDraining = false;
      this.#delay.stop();
    }
    const { isConnected } = closing;
    closing.isConnected = false;
    await (isConnected ? session.close() : session.closeNow());
    this.state = { kind: 'closed' };
    this.#emit('close');
  }

  /** Opens no further connection; calls that wait for one reject. */
  #stop(reason: LockClosedError, cause?: Error): void {
    this.#lastError = cause;
    this.#closing.abort(reason);
    this.#endPauses();
    this.#delay.stop();
    this.#waiting.reject('all', closedError(cause));
  }

  #endPauses(): void {
    this.#pauses.abort();
    this.#pauses = new AbortController();
  }

  /** Uses the connection at once, or as soon as there is one. */
  async #obtain<Used>(patience: ConnectionPatience, use: (session: LockSession) => Used): Promise<Used> {
    const { timeoutMs, signal } = patience;
    signal?.throwIfAborted();
    const session = this.connectedSession;
    if (session !== undefined) return use(session);
    if (this.closing.aborted) throw closedError(this.#lastError);
    const used = this.#waiting.add(patience, use, () => {
      const text = `no connection within ${Math.round(timeoutMs)} ms: ${describe(this.#lastError)}`;
      return new MessageError('timeout', text, { cause: this.#lastError });
    });
    if (this.state.kind === 'idle') this.#attempt();
    return await used;
  }

  #attempt(): void {
    if (this.state.kind === 'idle') this.state = { kind: 'connecting' };
    this.#open().then(
      (isResumed) => this.#succeeded(isResumed),
      (error: Error) => this.#failed(error),
    );
  }

  async #open(): Promise<boolean> {
    const { session, name } = this;
    const { defaultName } = this.#surroundings;
    // While the session is suspended, each attempt must leave time for the next.
    const mostMs = session.life.isSuspended ? session.life.timeoutMs * ATTEMPT_SHARE : Number.POSITIVE_INFINITY;
    const timeoutMs = Math.min(this.#connectTimeoutMs, mostMs);
    const isResumed = await session.open(this.#dial, { name, defaultName, timeoutMs });
    if (!session.isOpen) throw new MessageError('connectionLost', 'the connection was lost at once');
    // `identify` may have given the client another name meanwhile.
    if (this.name !== name) session.rename(this.name);
    return isResumed;
  }

  #succeeded(isResumed: boolean): void {
    const { session, state } = this;
    if (this.closing.aborted && !this.#isDraining) {
      void session.closeNow();
      return;
    }
    if (state.kind === 'closing') state.isConnected = true;
    else this.state = { kind: 'connected', sinceMs: performance.now() };
    this.#wasConnected = true;
    // Calls that waited go out first, before those that listeners make when they hear of the connection.
    this.#waiting.resolveAll(session);
    session.setReferenced(this.#isReferenced);
    this.#emit('connect');
    if (isResumed) this.#emit('resume');
  }

  #failed(error: Error): void {
    if (this.closing.aborted && !this.#isDraining) return;
    this.#lastError = error;
    const { life } = this.session;
    const isGone = life.isSuspended && nobodyListens(error);
    if (isGone && life.endWithServer() && !this.#isDraining) this.state = { kind: 'reconnecting' };
    const isLast = !this.reconnects || isPermanent(error, this.#surroundings.isRefusal);
    const toldCount = this.#waiting.reject(isLast ? 'all' : 'fail', error);
    // If no call rejects with it, an event reports it.
    if (toldCount === 0 || this.#goesOn) this.#emit('error', error);
    this.#scheduleNext();
  }

  /** The connection is gone. One that was being opened tells by its rejected promise. */
  #ended(error: Error | undefined): void {
    const { state, session } = this;
    let isSuspended = false;
    if (state.kind === 'connected') {
      isSuspended = session.life.suspend();
      this.#replace(error ?? new Error('the server closed the connection'), isSuspended ? 'suspended' : 'reconnecting');
    } else if (state.kind === 'closing' && state.isConnected) {
      state.isConnected = false;
      isSuspended = this.#isDraining && session.life.suspend();
      if (isSuspended) this.#scheduleNext();
      else session.life.loseHolds('connectionLost');
    } else {
      return;
    }
    this.#emit('disconnect', error);
    if (isSuspended) this.#emit('suspend');
    if (this.state.kind === 'closed') this.#emit('close');
  }

  /** Opens another connection in its place, unless this was the last one. */
  #replace(error: Error, kind: 'suspended' | 'reconnecting'): void {
    if (this.state.kind === 'connected' && performance.now() - this.state.sinceMs >= STABLE_MS)
      this.#delay.failures = 0;
    if (this.reconnects) {
      this.#lastError = error;
      this.state = { kind };
      this.#scheduleNext();
      this.#endPauses();
    } else {
      this.state = { kind: 'closed' };
      this.#stop(new LockClosedError(), error);
    }
  }

  /** Whether the client closes once what it holds is released. */
  get #isDraining(): boolean {
    return this.state.kind === 'closing' && this.state.isDraining;
  }

  /** A client that was never connected stops trying when no call waits any more. */
  get #goesOn(): boolean {
    return this.#wasConnected || this.#waiting.size > 0;
  }

  #scheduleNext(): void {
    if (!this.#goesOn) {
      this.state = { kind: 'idle' };
      return;
    }
    if (this.state.kind !== 'suspended' && !this.#isDraining) this.state = { kind: 'reconnecting' };
    this.#delay.begin(this.session.life.isSuspended ? MAX_SUSPENDED_DELAY_MS : Number.POSITIVE_INFINITY);
  }

  #emit<Name extends keyof LockClientEvents>(name: Name, ...details: Parameters<LockClientEvents[Name]>): void {
    this.#surroundings.outside(() => tell(() => this.#emitter.emit(name, ...details)));
  }
}

function closedError(cause: Error | undefined): MessageError {
  return new MessageError('closed', 'the client is closed', { cause });
}

function describe(error: Error | undefined): string {
  return error?.message ?? 'the server has not answered yet';
}
