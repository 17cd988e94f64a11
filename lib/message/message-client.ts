/** The client of a message server: `rpc()` sends a command and waits for its result, many at a time. */

import { EventEmitter } from 'eventemitter3';
import { ClientCodec } from '../wire/client-codec.ts';
import { RequestError } from '../wire/errors.ts';
import { dialUntilAborted, whenAborted } from './abort-listeners.ts';
import type { ByteStream, Dialer } from './byte-stream.ts';
import type { Call, Persistence, RpcResult, UnansweredCall } from './call.ts';
import { ledToCaller } from './caller-stack.ts';
import { type Gate, makeGate } from './gate.ts';
import { unknownOption } from './known-options.ts';
import { MessageConnection } from './message-connection.ts';
import { connectionLost, MessageError, UnreadOutputError } from './message-error.ts';
import { NumberedTable } from './numbered-table.ts';
import { fail, type PendingRequest, stopTimers } from './pending-request.ts';
import { tell } from './tell.ts';
import { startTimeout } from './timeout.ts';

export type { RpcResult };

/** A message that answers no request. */
export interface ServerEvent {
  readonly event: string;
  readonly [key: string]: unknown;
}

/** The time limit of one call, and a signal that ends it early. */
export interface RpcOptions {
  /** Milliseconds to wait for the result; the client's `requestTimeoutMs` by default, `Infinity` for no limit. */
  readonly timeoutMs?: number;
  /** Ends the wait: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How a client is made. */
export interface MessageClientOptions {
  /** The longest message that the client takes from the server, in bytes. 16 MiB by default. */
  readonly maxMessageBytes?: number;
  /** The most calls in flight, including cancelled ones that the server has not answered yet. 100,000 by default. */
  readonly maxPendingRequests?: number;
  /**
   * The client drops the connection when the server leaves more than this many bytes of output unread. 64 MiB by
   * default.
   */
  readonly maxUnsentBytes?: number;
  /** Milliseconds that a call waits for its result, and closing for the server to follow; 30,000 by default, `Infinity` for no limit. */
  readonly requestTimeoutMs?: number | undefined;
}

/** How a connection is opened. */
export interface ConnectOptions {
  /** Milliseconds until the client gives up the attempt; 10,000 by default, `Infinity` for no limit. */
  readonly connectTimeoutMs?: number;
}

/** The events of a client. `close` has the reason when it was not this side that closed the connection. */
export interface MessageClientEvents {
  connect: () => void;
  close: (error: Error | undefined) => void;
  event: (event: ServerEvent) => void;
  error: (error: Error) => void;
}

const CLIENT_OPTIONS = ['maxMessageBytes', 'maxPendingRequests', 'maxUnsentBytes', 'requestTimeoutMs'];

const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly abort: AbortController }
  | { readonly kind: 'open'; readonly connection: MessageConnection; readonly stream: ByteStream }
  | { readonly kind: 'closing'; readonly connection: MessageConnection; readonly gone: Gate }
  | { readonly kind: 'closed' };

/**
 * One connection to a message server. Its events are those of eventemitter3: `connect`, `close`, `event`, `error`.
 * A client connects once; after `close` make a new one. Only with `Persistence` it may connect again.
 */
export class MessageClient extends EventEmitter<MessageClientEvents> implements AsyncDisposable {
  readonly #options: Required<MessageClientOptions> & { readonly requestTimeoutMs: number };
  readonly #pending = new NumberedTable<PendingRequest>();
  readonly #persistence: Persistence | undefined;
  #state: State = { kind: 'idle' };

  /** @throws MessageError with the code `invalid` for an unknown option. */
  constructor(options: MessageClientOptions = {}, persistence?: Persistence) {
    super();
    this.#persistence = persistence;
    requireKnown(options, CLIENT_OPTIONS);
    this.#options = {
      maxMessageBytes: options.maxMessageBytes ?? 16_777_216,
      maxPendingRequests: options.maxPendingRequests ?? 100_000,
      maxUnsentBytes: options.maxUnsentBytes ?? 67_108_864,
      requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    };
  }

  get state(): State['kind'] {
    return this.#state.kind;
  }

  /**
   * Opens the connection. Rejects with the system's error, such as `ECONNREFUSED`, or with a `MessageError` of the code
   * `timeout` or, when the client was closed meanwhile, `closed`; `invalid` for an option that it does not know.
   */
  async connect(dial: Dialer, options: ConnectOptions = {}): Promise<void> {
    requireKnown(options, ['connectTimeoutMs']);
    if (this.#state.kind !== 'idle') throw new MessageError('closed', 'a client connects once');
    const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
    const abort = new AbortController();
    this.#state = { kind: 'connecting', abort };
    const stopTimeout = startTimeout(connectTimeoutMs, () =>
      abort.abort(new MessageError('timeout', `no connection within ${connectTimeoutMs} ms`)),
    );
    try {
      this.#open(await dialUntilAborted(dial, abort.signal));
    } catch (error) {
      this.#state = { kind: this.#kindWithout(abort.signal) };
      throw ledToCaller(error);
    } finally {
      stopTimeout();
    }
  }

  /**
   * Sends a command and waits for its result, whatever its status. Rejects with a `MessageError`: `timeout` when the
   * result did not come in time, `closed` without a connection, `connectionLost` when it broke, `limit` when too many
   * calls are in flight, `invalid` for an option that it does not know, or the status of the server's error reply; or
   * with the signal's reason.
   */
  async rpc(command: string, parameters: object = {}, options: RpcOptions = {}): Promise<RpcResult> {
    try {
      requireKnown(options, ['timeoutMs', 'signal']);
      const { timeoutMs = this.#options.requestTimeoutMs, signal } = options;
      if (!(timeoutMs >= 0)) throw new RangeError(`timeoutMs is ${timeoutMs}; expected a number from 0, or Infinity`);
      return await this.call({ command, parameters, timeoutMs, signal, convert: (result) => result });
    } catch (error) {
      throw ledToCaller(error, options?.signal);
    }
  }

  /** Sends a command and does not ask for an answer. Without a connection it goes nowhere. */
  notify(command: string, parameters: object = {}): void {
    if (this.#state.kind === 'open') this.#send(this.#state.connection, { command, parameters });
  }

  /**
   * Closes the connection once everything has been sent. Resolves when it is gone, after `requestTimeoutMs` whatever the
   * server does; open calls reject with `closed`.
   */
  async close(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'idle') {
      this.#state = { kind: 'closed' };
      this.#failAll(new MessageError('closed', 'the client was closed'));
    }
    if (state.kind === 'connecting') state.abort.abort(new MessageError('closed', 'the client was closed'));
    if (state.kind === 'closing') await state.gone.promise;
    if (state.kind !== 'open') return;
    const { connection } = state;
    const gone = makeGate();
    this.#state = { kind: 'closing', connection, gone };
    this.#failAll(new MessageError('closed', 'the client was closed'));
    connection.end();
    await gone.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether the open connection keeps the process alive. Has no effect in a browser. */
  setReferenced(isReferenced: boolean): void {
    if (this.#state.kind === 'open') this.#state.connection.setReferenced(isReferenced);
  }

  /** Sends a request as `rpc` does; for clients that are built on this one. */
  call<Result>(call: Call<Result>): Promise<Result> {
    const { command, parameters, timeoutMs, signal, isExempt = false } = call;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#state.kind !== 'open') throw new MessageError('closed', 'the client is not connected');
      const { maxPendingRequests } = this.#options;
      if (this.#pending.size >= maxPendingRequests && !isExempt) {
        throw new MessageError('limit', `maxPendingRequests, ${maxPendingRequests}, calls are in flight`);
      }
      const request: PendingRequest = {
        id: 0,
        call,
        isGivenUp: false,
        resolve: resolve as (value: unknown) => void,
        reject,
        stopTimeout: startTimeout(timeoutMs, () =>
          this.#giveUp(request, new MessageError('timeout', `no result of ${command} within ${timeoutMs} ms`)),
        ),
        stopListening: signal && whenAborted(signal, () => this.#giveUp(request, signal.reason)),
        stopWaiting: undefined,
      };
      this.#pending.add(request);
      try {
        this.#persistence?.sent(request.id);
        this.#send(this.#state.connection, { command, parameters, id: request.id });
      } catch (error) {
        // JSON cannot hold the parameters.
        this.#pending.delete(request.id);
        fail(request, error);
      }
    });
  }

  /** The calls that wait for their results, in the order in which they were made. */
  calls(): Call<unknown>[] {
    const waiting = this.#pending.inOrder().filter(({ isGivenUp }) => !isGivenUp);
    return waiting.map(({ call }) => call);
  }

  get hasUnanswered(): boolean {
    return this.#pending.size > 0;
  }

  /** All that the server has not answered, in order. */
  unanswered(): readonly UnansweredCall[] {
    return this.#pending.inOrder();
  }

  /** Takes an answer that came in another way than as a message of its own. */
  settle(id: number, result: RpcResult): void {
    this.#settle(id, { result });
  }

  /** The server will not answer that request: its call rejects with `connectionLost`. */
  fail(id: number): void {
    const request = this.#pending.get(id);
    if (request !== undefined) this.#fail(request, connectionLost(undefined));
  }

  /** Goes on as after a loss, and reads nothing more from the connection. Returns it as it is, open, for the caller to close. */
  abandon(reason: Error | undefined): ByteStream | undefined {
    const state = this.#state;
    if (state.kind !== 'open') return undefined;
    const { connection, stream } = state;
    connection.abandon();
    connection.setReferenced(false);
    this.#lost(reason);
    return stream;
  }

  /** Gives up the calls of some commands: they reject with the reason. */
  giveUp(commands: readonly string[], reason: unknown): void {
    for (const request of this.#pending.inOrder()) {
      if (commands.includes(request.call.command)) this.#giveUp(request, reason);
    }
  }

  /** Drops the connection at once: calls in flight reject with `connectionLost`. */
  drop(reason?: Error): void {
    if (this.#state.kind === 'open' || this.#state.kind === 'closing') this.#state.connection.destroy(reason);
  }

  #open(stream: ByteStream): void {
    const { maxMessageBytes, requestTimeoutMs } = this.#options;
    // `#send` looks at the unsent output.
    const limits = { hardOutputBytes: Number.POSITIVE_INFINITY, closeTimeoutMs: requestTimeoutMs };
    let failure: Error | undefined;
    const connection = new MessageConnection(stream, new ClientCodec(maxMessageBytes), limits, {
      message: this.#receive,
      malformed: (error) => this.#tellError(error),
      broken: (error) => {
        failure = error;
        this.#tellError(error);
        this.#leave(error);
      },
      // The server closed its side, so it answers nothing more.
      finished: () => {
        if (!this.#leave(undefined)) connection.end();
      },
      closed: (error) => {
        const { kind } = this.#state;
        const isCurrent = (kind === 'open' || kind === 'closing') && this.#state.connection === connection;
        if (isCurrent) this.#lost(error ?? failure);
      },
    });
    this.#state = { kind: 'open', connection, stream };
    connection.start();
    tell(() => this.emit('connect'));
  }

  /** The application's own requests never stop the client from reading answers, so the limit is a hard one. */
  #send(connection: MessageConnection, message: object): void {
    connection.send(message);
    const { maxUnsentBytes } = this.#options;
    if (connection.unsentBytes <= maxUnsentBytes) return;
    const error = new UnreadOutputError('hardOutputBytes', `more than ${maxUnsentBytes} bytes of unsent output`);
    if (!this.#leave(error)) connection.destroy(error);
  }

  /** Returns whether the connection was left open, since its end might end more. */
  #leave(reason: Error | undefined): boolean {
    return this.#persistence?.leaves(reason) === true;
  }

  #giveUp(request: PendingRequest, reason: unknown): void {
    if (request.isGivenUp) return;
    request.isGivenUp = true;
    fail(request, reason);
    request.call.watcher?.gaveUp(request.call, request.id);
  }

  readonly #receive = (message: unknown): undefined => {
    if (!isRecord(message)) {
      this.#tellError(new RequestError('invalid', 'the server sent a message that is no object'));
    } else if (typeof message.event === 'string') {
      tell(() => this.emit('event', message as ServerEvent));
    } else if (typeof message.id === 'number') {
      this.#settle(message.id, message);
    } else if (isRecord(message.error)) {
      this.#tellError(MessageError.fromReply(message.error));
    }
  };

  #settle(id: number, reply: Readonly<Record<string, unknown>>): void {
    const request = this.#pending.delete(id);
    if (request === undefined) return;
    this.#persistence?.answered(id);
    const { call } = request;
    const result = isRecord(reply.result) ? (reply.result as RpcResult) : undefined;
    if (request.isGivenUp) {
      call.watcher?.answeredLate(call, result);
      return;
    }
    stopTimers(request);
    try {
      if (result === undefined) throw MessageError.fromReply(isRecord(reply.error) ? reply.error : {});
      request.resolve(call.convert(result));
    } catch (error) {
      request.reject(error);
    }
  }

  /** There is no connection any more. */
  #lost(error: Error | undefined): void {
    const state = this.#state;
    this.#state = { kind: state.kind === 'open' ? this.#kindWithout() : 'closed' };
    if (state.kind === 'open') this.#failAll(connectionLost(error), this.#persistence);
    if (state.kind === 'closing') state.gone.resolve();
    tell(() => this.emit('close', error));
  }

  /** Lets a call wait for the next connection, if it is one that does. */
  #keep(request: PendingRequest): boolean {
    const { keptUntilMs, command } = request.call;
    if (keptUntilMs === undefined) return false;
    const text = `no connection for the result of ${command}`;
    request.stopWaiting?.();
    request.stopWaiting = startTimeout(Math.max(0, keptUntilMs - performance.now()), () => {
      const isWaiting = this.#state.kind !== 'open' && this.#pending.get(request.id) === request;
      if (isWaiting) this.#giveUp(request, new MessageError('timeout', text));
    });
    return true;
  }

  /** The state without a connection: another one may follow unless this side has closed the client. */
  #kindWithout(closed?: AbortSignal): 'idle' | 'closed' {
    const isClosed = this.#persistence === undefined || (closed?.reason as MessageError | undefined)?.code === 'closed';
    return isClosed ? 'closed' : 'idle';
  }

  #tellError(error: Error): void {
    tell(() => this.emit('error', error));
  }

  #failAll(error: MessageError, persistence?: Persistence): void {
    for (const request of this.#pending.inOrder()) {
      if (persistence?.keepsCalls === true && this.#keep(request)) continue;
      this.#fail(request, error);
    }
  }

  #fail(request: PendingRequest, error: MessageError): void {
    this.#pending.delete(request.id);
    if (request.isGivenUp) request.call.watcher?.answeredLate(request.call, undefined);
    else fail(request, error);
  }
}

function requireKnown(options: object, known: readonly string[]): void {
  const problem = unknownOption(options, known);
  if (problem !== undefined) throw new MessageError('invalid', problem);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
