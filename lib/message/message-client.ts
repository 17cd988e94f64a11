/** The client of a message server: `rpc()` sends a command and waits for its result, many at a time. */

import { EventEmitter } from 'eventemitter3';
import { ClientCodec } from '../wire/client-codec.ts';
import { RequestError } from '../wire/errors.ts';
import { whenAborted } from './abort-listeners.ts';
import type { ByteStream, Dialer } from './byte-stream.ts';
import { ledToCaller } from './caller-stack.ts';
import { type Gate, makeGate } from './gate.ts';
import { MessageError } from './message-error.ts';
import { MessageStream } from './message-stream.ts';
import { NumberedTable } from './numbered-table.ts';
import { tell } from './tell.ts';
import { startTimeout } from './timeout.ts';

/** What every result has. */
export interface RpcResult {
  readonly status: string;
  readonly [key: string]: unknown;
}

/** A message that answers no request. */
export interface ServerEvent {
  readonly event: string;
  readonly [key: string]: unknown;
}

/** How long one call may take, and what ends it early. */
export interface RpcOptions {
  /** Milliseconds to wait for the result; the client's `requestTimeoutMs` by default, `Infinity` for no limit. */
  readonly timeoutMs?: number;
  /** Ends the wait: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How a client is made. */
export interface MessageClientOptions {
  /** The longest message that is taken from the server, in bytes. 16 MiB by default. */
  readonly maxMessageBytes?: number;
  /** Calls in flight at most, those that gave up and are not answered yet included. 100,000 by default. */
  readonly maxPendingRequests?: number;
  /** Output that the server has not read, in bytes, above which the connection is given up. 64 MiB by default. */
  readonly maxUnsentBytes?: number;
  /** Milliseconds that a call waits for its result, and closing for the server to follow; 30,000 by default, `Infinity` for no limit. */
  readonly requestTimeoutMs?: number | undefined;
}

/** How a connection is opened. */
export interface ConnectOptions {
  /** Milliseconds until the attempt is given up; 10,000 by default, `Infinity` for no limit. */
  readonly connectTimeoutMs?: number;
}

/** What a client tells of. `close` comes with the reason when the connection was not closed by this side. */
export interface MessageClientEvents {
  connect: () => void;
  close: (error: Error | undefined) => void;
  event: (event: ServerEvent) => void;
  error: (error: Error) => void;
}

const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly abort: AbortController }
  | { readonly kind: 'open'; readonly connection: MessageStream }
  | { readonly kind: 'closing'; readonly connection: MessageStream }
  | { readonly kind: 'closed' };

/** One request that the server has not answered. `gaveUp`: nobody waits for it any more. */
interface PendingRequest {
  readonly id: number;
  readonly command: string;
  readonly parameters: object;
  state: 'waiting' | 'gaveUp';
  convert(result: RpcResult): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  readonly stopTimeout: (() => void) | undefined;
  readonly stopListening: (() => void) | undefined;
}

/**
 * One connection to a message server. Its events are those of eventemitter3: `connect`, `close`, `event`, `error`.
 * A client connects once; after `close` make a new one.
 */
export class MessageClient extends EventEmitter<MessageClientEvents> implements AsyncDisposable {
  readonly #options: Required<MessageClientOptions> & { readonly requestTimeoutMs: number };
  readonly #pending = new NumberedTable<PendingRequest>();
  #state: State = { kind: 'idle' };
  /** Resolves when an open connection is gone. */
  readonly #gone: Gate = makeGate();
  /** What the server sent that could not be understood, and for which the connection is given up. */
  #failure: Error | undefined;

  constructor(options: MessageClientOptions = {}) {
    super();
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
   * `timeout` or, when the client was closed meanwhile, `closed`.
   */
  async connect(dial: Dialer, options: ConnectOptions = {}): Promise<void> {
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
      this.#state = { kind: 'closed' };
      throw ledToCaller(error);
    } finally {
      stopTimeout();
    }
  }

  /**
   * Sends a command and waits for its result, whatever its status. Rejects with a `MessageError`: `timeout` when the
   * result did not come in time, `closed` without a connection, `connectionLost` when it broke, `limit` when too many
   * calls are in flight, or the status of the server's error reply; or with the signal's reason.
   */
  async rpc(command: string, parameters: object = {}, options: RpcOptions = {}): Promise<RpcResult> {
    try {
      return await this.call(command, parameters, options, (result) => result);
    } catch (error) {
      throw ledToCaller(error, options.signal);
    }
  }

  /** Sends a command and does not ask for an answer. Without a connection it goes nowhere. */
  notify(command: string, parameters: object = {}): void {
    if (this.#state.kind === 'open') this.#state.connection.send({ command, parameters });
  }

  /**
   * Closes the connection once everything has been sent. Resolves when it is gone, after `requestTimeoutMs` whatever the
   * server does; open calls reject with `closed`.
   */
  async close(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'idle') this.#state = { kind: 'closed' };
    if (state.kind === 'connecting') state.abort.abort(new MessageError('closed', 'the client was closed'));
    if (state.kind === 'closing') await this.#gone.promise;
    if (state.kind !== 'open') return;
    this.#state = { kind: 'closing', connection: state.connection };
    this.#failAll(new MessageError('closed', 'the client was closed'));
    this.disconnected(undefined);
    state.connection.end();
    await this.#gone.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Lets the process end although the connection is open, or no longer; a browser has no such thing. */
  setReferenced(isReferenced: boolean): void {
    if (this.#state.kind === 'open') this.#state.connection.setReferenced(isReferenced);
  }

  /**
   * As `rpc`, but the result is converted in the very turn in which it comes, before anything else is read. Who can write
   * the request faster gives it as it stands in the message, up to the id.
   */
  protected call<Result>(
    command: string,
    parameters: object,
    { timeoutMs = this.#options.requestTimeoutMs, signal }: RpcOptions,
    convert: (result: RpcResult) => Result,
    written?: string,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (!(timeoutMs >= 0)) throw new RangeError(`timeoutMs is ${timeoutMs}; expected a number from 0, or Infinity`);
      signal?.throwIfAborted();
      // What cannot be written as JSON is not sent, and nothing will be answered.
      const text = written ?? JSON.stringify({ command, parameters }).slice(0, -1);
      const connection = this.#requireConnection();
      const id = this.#pending.nextId();
      const request: PendingRequest = {
        id,
        command,
        parameters,
        state: 'waiting',
        convert,
        resolve,
        reject,
        stopTimeout:
          timeoutMs < Number.POSITIVE_INFINITY
            ? startTimeout(timeoutMs, () =>
                this.#giveUp(request, new MessageError('timeout', `no result of ${command} within ${timeoutMs} ms`)),
              )
            : undefined,
        stopListening: signal && whenAborted(signal, () => this.#giveUp(request, signal.reason)),
      };
      this.#pending.add(request);
      connection.send(`${text},"id":${id}}`);
    });
  }

  /** Gives up the connection at once: calls in flight reject with `connectionLost`. */
  protected drop(reason: Error): void {
    if (this.#state.kind === 'open' || this.#state.kind === 'closing') this.#state.connection.destroy(reason);
  }

  /** Gives up all calls of one command: they reject with the reason. */
  protected giveUpAll(command: string, reason: unknown): void {
    for (const request of this.#pending.inOrder()) if (request.command === command) this.#giveUp(request, reason);
  }

  /** Whether a call is in flight, has not given up, and is one that fits. */
  protected isWaitingFor(fits: (command: string, parameters: object) => boolean): boolean {
    return this.#pending.some(({ state, command, parameters }) => state === 'waiting' && fits(command, parameters));
  }

  /** A call gave up before its result came. Its parameters are as they were given to `rpc`. */
  protected gaveUp(_id: number, _command: string, _parameters: object): void {}

  /** A result has come for a call that had given up. Does nothing unless overridden. */
  protected lateResult(_result: RpcResult, _command: string, _parameters: object): void {}

  /** An error has come for a call that had given up. Does nothing unless overridden. */
  protected lateError(_command: string, _parameters: object): void {}

  /** A result has come for a call that waits for it. Does nothing unless overridden. */
  protected timelyResult(_result: RpcResult, _command: string, _parameters: object): void {}

  /** An event has come; those who override it pass it on by calling this. */
  protected serverEvent(event: ServerEvent): void {
    this.emit('event', event);
  }

  /** No more results come: the connection is gone or about to be closed. Called before the `close` event. */
  protected disconnected(_error: Error | undefined): void {}

  #open(stream: ByteStream): void {
    const { maxMessageBytes, maxUnsentBytes, requestTimeoutMs } = this.#options;
    // What the application asks for never stops the client from reading answers.
    const limits = { hardOutputBytes: maxUnsentBytes, closeTimeoutMs: requestTimeoutMs };
    const connection = new MessageStream(stream, new ClientCodec(maxMessageBytes), limits, {
      message: (message) => {
        this.#receive(message);
        return undefined;
      },
      malformed: (error) => this.#tellError(error),
      broken: (error) => {
        this.#failure = error;
        this.#tellError(error);
      },
      finished: () => this.#end(),
      closed: (error) => this.#closed(error ?? this.#failure),
    });
    this.#state = { kind: 'open', connection };
    connection.start();
    tell(() => this.emit('connect'));
  }

  #requireConnection(): MessageStream {
    if (this.#state.kind !== 'open') throw new MessageError('closed', 'the client is not connected');
    const { maxPendingRequests } = this.#options;
    if (this.#pending.size >= maxPendingRequests) {
      throw new MessageError('limit', `maxPendingRequests, ${maxPendingRequests}, calls are in flight`);
    }
    return this.#state.connection;
  }

  #giveUp(request: PendingRequest, reason: unknown): void {
    if (request.state === 'gaveUp') return;
    request.state = 'gaveUp';
    fail(request, reason);
    this.gaveUp(request.id, request.command, request.parameters);
  }

  #receive(message: unknown): void {
    if (!isRecord(message)) {
      this.#tellError(new RequestError('invalid', 'the server sent a message that is no object'));
    } else if (typeof message.event === 'string') {
      tell(() => this.serverEvent(message as ServerEvent));
    } else if (typeof message.id === 'number') {
      this.#settle(message.id, message);
    } else if (isRecord(message.error)) {
      this.#tellError(MessageError.fromReply(message.error));
    }
  }

  #settle(id: number, message: Readonly<Record<string, unknown>>): void {
    const request = this.#pending.get(id);
    if (request === undefined) return;
    this.#pending.delete(id);
    const { result, error } = message;
    if (request.state === 'gaveUp') {
      if (isRecord(result)) this.lateResult(result as RpcResult, request.command, request.parameters);
      else this.lateError(request.command, request.parameters);
    } else if (isRecord(result)) {
      this.timelyResult(result as RpcResult, request.command, request.parameters);
      succeed(request, result as RpcResult);
    } else {
      fail(request, MessageError.fromReply(isRecord(error) ? error : {}));
    }
  }

  /** The server closed its side: nothing more can be answered. */
  #end(): void {
    if (this.#state.kind === 'open') this.#state.connection.end();
  }

  #closed(error: Error | undefined): void {
    const wasOpen = this.#state.kind === 'open';
    this.#state = { kind: 'closed' };
    if (wasOpen) {
      const reason = error?.message ?? 'the server closed it';
      this.#failAll(new MessageError('connectionLost', `the connection was lost: ${reason}`, { cause: error }));
      this.disconnected(error);
    }
    this.#gone.resolve();
    tell(() => this.emit('close', error));
  }

  #tellError(error: Error): void {
    tell(() => this.emit('error', error));
  }

  #failAll(error: MessageError): void {
    for (const request of this.#pending.takeAll()) if (request.state === 'waiting') fail(request, error);
  }
}

function succeed(request: PendingRequest, result: RpcResult): void {
  stopWaiting(request);
  try {
    request.resolve(request.convert(result));
  } catch (error) {
    request.reject(error);
  }
}

function fail(request: PendingRequest, error: unknown): void {
  stopWaiting(request);
  request.reject(error);
}

function stopWaiting({ stopTimeout, stopListening }: PendingRequest): void {
  stopTimeout?.();
  stopListening?.();
}

/** Gives up when told to, whether or not the dialer does. A connection that comes too late is closed. */
function dialUntilAborted(dial: Dialer, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    dial(signal).then((stream) => {
      if (signal.aborted) stream.destroy();
      else resolve(stream);
    }, reject);
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
