/** A client's life over many connections: keeps one open and asks for locks on it and, when it is lost, on the next. */

import type { Dialer } from '../message/byte-stream.ts';
import { makeGate } from '../message/gate.ts';
import type { RpcOptions, RpcResult, ServerEvent } from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { show } from '../message/show.ts';
import { tell } from '../message/tell.ts';
import { pause } from '../message/timeout.ts';
import { failedToConnect, type IsRefusal, isPermanent, noConnection } from './connection-failure.ts';
import { ConnectionKeeper, type ConnectionPatience } from './connection-keeper.ts';
import type { HoldParameters } from './given-up-calls.ts';
import { LockConnection } from './lock-connection.ts';
import { LockClosedError, LockDrainingError, LockTimeoutError, LockUnreachableError, tellOwn } from './lock-error.ts';
import type { Hold, Outside } from './lock-handle.ts';
import {
  type ClientOptions,
  FROM_ZERO,
  type LockRequest,
  type OptionRules,
  type Patience,
  remainingMs,
  requireOptions,
  SIGNAL,
} from './options.ts';

const RPC_OPTIONS: OptionRules = { timeoutMs: FROM_ZERO, signal: SIGNAL };
const RECONNECT_OPTIONS: OptionRules = { minDelayMs: FROM_ZERO, maxDelayMs: FROM_ZERO };

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** A server that is about to stop is asked again after a delay of up to this, on the next connection if there is one. */
const MAX_DRAINING_PAUSE_MS = 1_000;

/**
 * `idle`: made, and not used yet. `connecting`: the first connection is being opened. `connected`. `reconnecting`: it was
 * lost, or could not be opened, and is being opened again. `closing`: no new calls. `closed`: for good.
 */
export type ClientState = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'closing' | 'closed';

/** Where a client runs. */
export interface Surroundings {
  /** Runs code that calls listeners, in no request's asynchronous context where there is such a thing. */
  readonly outside: Outside;
  /** The name of a client that was given none. */
  readonly defaultName: string | undefined;
  readonly isRefusal: IsRefusal;
}

/** The events of a client. */
export interface LockClientEvents {
  /** There is a connection; the first, or a further one. */
  connect: () => void;
  /** The connection was lost, and with it everything that was held; the error says why. */
  disconnect: (error: Error | undefined) => void;
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

type State =
  | { readonly kind: 'living' }
  | { readonly kind: 'closing'; readonly gone: Promise<void> }
  | { readonly kind: 'closed' };

/** From the first connection to the end of the last. */
export class ClientLife {
  readonly #dial: Dialer;
  readonly #options: ClientOptions;
  readonly #surroundings: Surroundings;
  readonly #emitter: Emitter;
  readonly #keeper: ConnectionKeeper<LockConnection>;
  readonly #closing = new AbortController();
  readonly #connectTimeoutMs: number;
  readonly #requestTimeoutMs: number;
  readonly #whileDisconnected: 'wait' | 'fail';
  /** The name by which others see the client, from the next connection on. */
  name: string | undefined;
  /** The connection that is being opened. */
  #opening: LockConnection | undefined;
  #isReferenced = true;
  #state: State = { kind: 'living' };
  #callCount = 0;
  /** Aborts when the calls that wait for a server to stop are to be made again. */
  #pauses = new AbortController();

  /** @throws LockInvalidError when a number or a choice among the options makes no sense. */
  constructor(dial: Dialer, options: ClientOptions, surroundings: Surroundings, emitter: Emitter) {
    const {
      connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS,
      requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS,
      reconnect = {},
      whileDisconnected = 'wait',
    } = options;
    requireOptions(reconnect || {}, RECONNECT_OPTIONS, 'reconnect');
    this.#dial = dial;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#emitter = emitter;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#whileDisconnected = whileDisconnected;
    this.name = options.name;
    this.#keeper = new ConnectionKeeper<LockConnection>({
      open: () => this.#open(),
      reconnect,
      connected: (connection) => {
        connection.setReferenced(this.#isReferenced);
        this.#emit('connect');
      },
      failed: (error) => this.#emit('error', error),
      isPermanent: (error) => isPermanent(error, surroundings.isRefusal),
      discard: (connection) => void connection.abandon(),
    });
  }

  get state(): ClientState {
    return this.#state.kind === 'living' ? this.#keeper.state : this.#state.kind;
  }

  /** Aborts when the client is closed, with the error of the calls that still wait. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Makes a first attempt to connect; rejects with its error, or `unreachable` when its time was over. */
  async connect(): Promise<void> {
    try {
      await this.#keeper.connect(this.#connectTimeoutMs);
    } catch (error) {
      throw failedToConnect(error);
    }
  }

  /** Sends a command, once there is a connection. */
  async rpc(command: string, parameters: object, options: RpcOptions = {}): Promise<RpcResult> {
    const { timeoutMs = this.#requestTimeoutMs, signal } = requireOptions(options, RPC_OPTIONS);
    this.#callCount += 1;
    const patience = { timeoutMs, signal, whenFailed: this.#whileDisconnected, order: this.#callCount };
    const { asked } = await this.#onNext(patience, (connection) =>
      connection.rpc(command, parameters, timeoutMs, signal),
    );
    return await asked;
  }

  /** Asks for locks on one connection after the other, until there is an answer: a wait outlives its connection. */
  async ask(owner: string, request: LockRequest): Promise<readonly Hold[] | null> {
    this.#callCount += 1;
    // After a loss the calls are made again in their order.
    const order = this.#callCount;
    for (let whenFailed = this.#whileDisconnected; ; whenFailed = 'wait') {
      if (this.#state.kind !== 'living') throw new LockClosedError();
      const asked =
        this.#keeper.current?.acquire(owner, request) ?? (await this.#askNext(owner, request, whenFailed, order)).asked;
      try {
        const holds = await asked;
        const isWanted = this.#state.kind === 'living' && request.signal?.aborted !== true;
        if (holds === null || (isWanted && holds.every(isToBeHandedOut))) return holds;
        for (const hold of holds) void hold.unlock();
        request.signal?.throwIfAborted();
        // A lock that was lost before its handle was there is asked for again, with a lease as long as the wait lasts.
        throwIfLeaseOver(holds, request);
      } catch (error) {
        await this.#recover(error, request);
      }
    }
  }

  /** Whether a call that rejected with this error may succeed when it is made again: only the connection was missing. */
  isPassing(error: unknown): boolean {
    return error instanceof LockUnreachableError && !isPermanent(error.cause, this.#surroundings.isRefusal);
  }

  /** The error of a call that did not wait, for a lock that is not free. */
  notFree(request: LockRequest): LockTimeoutError {
    const { items, command } = request;
    const [what, why] =
      command === 'lock'
        ? [`the lock ${show(items[0]?.name)} was`, 'it is not free']
        : ['the locks were', 'not all of them are free'];
    const own = this.#keeper.current?.ownHold(request);
    return new LockTimeoutError(`${what} not granted: ${why}${own === undefined ? '' : `; ${tellOwn(own)}`}`);
  }

  /** Calls back once no abandoned request can bring this hold any more. */
  whenAnswered(hold: HoldParameters, listener: () => void): void {
    const connection = this.#keeper.current;
    if (connection === undefined) listener();
    else connection.whenAnswered(hold, listener);
  }

  setReferenced(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    this.#keeper.setReferenced(isReferenced);
    this.#keeper.current?.setReferenced(isReferenced);
  }

  /** Ends all waits, waits up to `drainMs` milliseconds until all locks are released, then closes the connection. */
  async close(options: { readonly drainMs?: number }): Promise<void> {
    const { drainMs = 0 } = requireOptions(options, { drainMs: FROM_ZERO });
    // Set first: listeners might call `close` again.
    if (this.#state.kind === 'living') {
      const { promise, resolve } = makeGate();
      this.#state = { kind: 'closing', gone: promise };
      void this.#close(drainMs).then(resolve);
    }
    if (this.#state.kind === 'closing') await this.#state.gone;
  }

  /** Returns when the call is to be made again, on the next connection; throws when that makes no sense. */
  async #recover(error: unknown, patience: Patience): Promise<void> {
    if (isReasonOf(patience.signal, error)) throw error;
    const canGoOn = this.#options.reconnect !== false;
    // A server that stops is followed by another, as after a crash.
    if (error instanceof LockDrainingError && canGoOn && remainingMs(patience) > 0)
      return await this.#pauseForStop(patience);
    if (!(error instanceof MessageError)) throw error;
    if (error.code === 'closed' && this.#state.kind !== 'living') throw new LockClosedError({ cause: error });
    const isLost = error.code === 'closed' || error.code === 'connectionLost';
    if (isLost && canGoOn) return;
    throw error.code === 'timeout' ? noConnection(error) : error;
  }

  /**
   * Gives a server that stops the time to do so. Ends early with the wait, the signal, the client and the connection: then all
   * calls that pause are made on the next one, in their order.
   */
  #pauseForStop(patience: Patience): Promise<void> {
    const delayMs = Math.min(remainingMs(patience), Math.random() * MAX_DRAINING_PAUSE_MS);
    return pause(delayMs, patience.signal, this.#pauses.signal);
  }

  /** Asks as soon as there is a connection. Wraps the promise, so that the caller can wait for the sending alone. */
  async #onNext<Result>(
    patience: ConnectionPatience,
    ask: (connection: LockConnection) => Promise<Result>,
  ): Promise<{ readonly asked: Promise<Result> }> {
    try {
      return await this.#keeper.get(patience, (connection) => ({ asked: ask(connection) }));
    } catch (error) {
      if (isClosed(error) || isReasonOf(patience.signal, error)) throw error;
      throw noConnection(error);
    }
  }

  /** A try-lock waits for the connection as any request does, the others as long as they wait for their lock. */
  async #askNext(
    owner: string,
    request: LockRequest,
    whenFailed: 'wait' | 'fail',
    order: number,
  ): Promise<{ readonly asked: Promise<readonly Hold[] | null> }> {
    const { signal, waitMs } = request;
    const timeoutMs = waitMs === 0 ? this.#requestTimeoutMs : remainingMs(request);
    try {
      const patience = { signal, whenFailed, order, timeoutMs };
      return await this.#onNext(patience, (connection) => connection.acquire(owner, request));
    } catch (error) {
      if (isClosed(error) && !isReasonOf(signal, error)) throw new LockClosedError({ cause: error.cause });
      throw error;
    }
  }

  async #open(): Promise<LockConnection> {
    const { outside, defaultName } = this.#surroundings;
    const connection: LockConnection = new LockConnection(
      { ...this.#options, requestTimeoutMs: this.#requestTimeoutMs, outside },
      {
        event: (event) => this.#emit('event', event),
        failed: (error) => this.#emit('error', error),
        closed: (error) => this.#disconnected(connection, error),
      },
    );
    const name = this.name;
    this.#opening = connection;
    try {
      await connection.open(this.#dial, { name, defaultName, timeoutMs: this.#connectTimeoutMs });
      if (!connection.isOpen) throw new MessageError('connectionLost', 'the connection was lost at once');
      // `identify` may have given the client another name meanwhile.
      if (this.name !== name) connection.rename(this.name);
      return connection;
    } finally {
      this.#opening = undefined;
    }
  }

  #endPauses(): void {
    this.#pauses.abort();
    this.#pauses = new AbortController();
  }

  #emit<Name extends keyof LockClientEvents>(name: Name, ...details: Parameters<LockClientEvents[Name]>): void {
    this.#surroundings.outside(() => tell(() => this.#emitter.emit(name, ...details)));
  }

  #disconnected(connection: LockConnection, error: Error | undefined): void {
    if (this.#keeper.current !== connection) return;
    this.#keeper.lost(connection, error);
    this.#endPauses();
    this.#emit('disconnect', error);
    // Without `reconnect` this was the last connection.
    if (this.#keeper.state === 'closed') void this.close({});
  }

  async #close(drainMs: number): Promise<void> {
    const reason = new LockClosedError();
    this.#closing.abort(reason);
    this.#endPauses();
    const connection = this.#keeper.current;
    if (connection !== undefined && drainMs > 0) {
      await connection.drain(drainMs, reason);
    }
    this.#keeper.close();
    await Promise.all([connection?.close(), this.#opening?.abandon()]);
    this.#state = { kind: 'closed' };
    this.#emit('close');
  }
}

function isClosed(error: unknown): error is MessageError {
  return error instanceof MessageError && error.code === 'closed';
}

/** The reason of a caller's signal may be any error, even one that is handled here otherwise. */
function isReasonOf(signal: AbortSignal | undefined, error: unknown): boolean {
  return signal?.aborted === true && signal.reason === error;
}

/** A lease that is shorter than a round trip is over each time: asking again ends with the wait. */
function throwIfLeaseOver(holds: readonly Hold[], patience: Patience): void {
  if (remainingMs(patience) > 0 || !holds.some(({ freed }) => freed === 'leaseOver')) return;
  throw new LockTimeoutError(
    `the lock was not granted within ${patience.waitMs} ms: its lease was over each time before the answer came`,
  );
}

/** The handle tells the caller that another took the lock away; asking again might take it back from the other. */
function isToBeHandedOut({ freed }: Hold): boolean {
  return freed === undefined || freed === 'stolen' || freed === 'forced';
}
