/**
 * A server of newline-delimited JSON messages, to be extended: `{"command":"lock"}` is carried out by `commandLock`.
 * It listens, routes, checks parameters and replies; what the commands do is up to the class that extends it.
 */

import { detectProtocol } from '../wire/detect.ts';
import { type ProtocolError, RequestError } from '../wire/errors.ts';
import { NdjsonCodec } from '../wire/ndjson-codec.ts';
import type { ErrorStatus } from '../wire/statuses.ts';
import type { ByteStream, Listener } from './byte-stream.ts';
import { bindCommands, type Command, type CommandTable } from './command-table.ts';
import { consoleLogger, type Logger } from './logger.ts';
import { type ConnectionLimits, MessageConnection } from './message-connection.ts';
import type { MessageId, MessageSession } from './message-session.ts';
import { PendingResult } from './pending-result.ts';
import { QuietLog } from './quiet-log.ts';
import { findFault, type Request } from './request.ts';
import { startTimeout } from './timeout.ts';
import { show } from './validation.ts';

/** What a server admits at most. Lengths are bytes in UTF-8; unsent output counts a character as one. */
export interface MessageLimits extends ConnectionLimits {
  readonly maxConnections: number;
  readonly maxMessageBytes: number;
  /** Requests of one session whose result has yet to come; with so many, only immediate commands are served. */
  readonly maxPendingRequests: number;
}

/** The limits of a server that was not told any. */
export const DEFAULT_MESSAGE_LIMITS: MessageLimits = {
  maxConnections: 20_000,
  maxMessageBytes: 1_048_576,
  maxPendingRequests: 10_000,
  softOutputBytes: 262_144,
  hardOutputBytes: 16_777_216,
  closeTimeoutMs: 10_000,
};

/** How long clients may take to close their side when the server stops. */
const CLOSE_TIMEOUT_AT_STOP_MS = 1_000;

/** How a server is made. */
export interface MessageServerOptions {
  readonly commands: CommandTable;
  readonly limits?: Partial<MessageLimits>;
  /** Prints warnings and errors to the console when none is given. */
  readonly logger?: Logger;
}

/** What a server has counted since it was made. */
export interface MessageCounters {
  /** Connections accepted so far. */
  connections: number;
  /** Connections closed by the allow-list. */
  refusedConnections: number;
  /** Connections closed because there were too many. */
  excessConnections: number;
  /** Connections closed because their first byte belongs to no protocol of ours. */
  unknownProtocols: number;
  unknownCommands: number;
  /** Messages that could not be understood, and requests with wrong parameters. */
  invalidRequests: number;
  /** Handlers that threw. */
  failedRequests: number;
}

/**
 * Extend it with a table of commands and a `commandXxx` method for each. A method takes `(session, parameters, id)` and
 * returns the result, an object; or a promise or a `PendingResult` when it comes later; or throws a `RequestError`.
 */
export abstract class MessageServer<Session extends MessageSession = MessageSession> {
  readonly counters: MessageCounters = {
    connections: 0,
    refusedConnections: 0,
    excessConnections: 0,
    unknownProtocols: 0,
    unknownCommands: 0,
    invalidRequests: 0,
    failedRequests: 0,
  };
  protected readonly limits: MessageLimits;
  protected readonly logger: Logger;
  readonly #commands: ReadonlyMap<string, Command>;
  readonly #listeners: Listener[] = [];
  readonly #sessions = new Set<Session>();
  readonly #quietLog: QuietLog;
  #whenEmpty: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** @throws Error when a command of the table has no method. */
  constructor(options: MessageServerOptions) {
    this.limits = { ...DEFAULT_MESSAGE_LIMITS, ...options.limits };
    this.logger = options.logger ?? consoleLogger;
    this.#quietLog = new QuietLog(this.logger);
    this.#commands = bindCommands(options.commands, this);
  }

  /** Listens there too; resolves to the address. Rejects with the system's error, such as `EADDRINUSE`. */
  async listen(listener: Listener): Promise<string> {
    if (this.#closing !== undefined) throw new Error('the server is closed');
    this.#listeners.push(listener);
    return await listener.open({
      accepted: (stream) => this.#accept(stream),
      refused: (address) => {
        this.counters.refusedConnections += 1;
        this.#quietLog.warn(
          `refused ${address}`,
          `refused a connection from ${address}; to allow it, add "${address}" to "allowed" in the settings`,
        );
      },
      failed: (error) => this.logger.error({ err: error }, 'a connection could not be accepted'),
    });
  }

  /**
   * Stops to listen, lets the clients finish for up to `drainMs` milliseconds (none by default), then closes all
   * connections. Resolves when they are gone; a second call waits for the first.
   */
  close(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.drainMs ?? 0);
    return this.#closing;
  }

  /** How often each command was asked for since the server was made. */
  get requestCounts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#commands.values()].map(({ name, requestCount }) => [name, requestCount]));
  }

  /** The sessions there are now. */
  protected get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  /** Makes the session of a new connection. */
  protected abstract createSession(connection: MessageConnection): Session;

  /** A client has come. */
  protected sessionBegan(_session: Session): void {}

  /** A client has gone, or has said all it had to say. Its pending results may still be settled, now or later. */
  protected sessionEnded(_session: Session): void {}

  /** Waits until the clients have finished; the server ends it after the time that `close` was given. */
  protected drain(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Answers a message without an id and without `parameters`, where another protocol's custom asks for it: with a
   * message, or a `PendingResult` of one.
   */
  protected answerBare(_session: Session, _message: Request): object | undefined {
    return undefined;
  }

  async #close(drainMs: number): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    const drained = this.drain();
    let stopTimeout = (): void => {};
    const timeIsOver = new Promise<void>((resolve) => {
      stopTimeout = startTimeout(drainMs, resolve);
    });
    await Promise.race([drained, timeIsOver]);
    stopTimeout();
    const gone = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const session of [...this.#sessions]) {
      this.#endSession(session);
      session.connection.end(CLOSE_TIMEOUT_AT_STOP_MS);
    }
    if (this.#sessions.size > 0) await gone;
  }

  #accept(stream: ByteStream): void {
    const { maxConnections } = this.limits;
    if (this.#sessions.size >= maxConnections) {
      this.counters.excessConnections += 1;
      this.#quietLog.warn('excess', `refused a connection: there are maxConnections, ${maxConnections}`);
    }
    if (this.#sessions.size >= maxConnections || this.#closing !== undefined) {
      stream.destroy();
      return;
    }
    this.logger.debug({ peer: stream.peer }, 'connected');
    this.counters.connections += 1;
    const connection = new MessageConnection(stream, (bytes) => this.#chooseCodec(stream, bytes), this.limits, {
      message: (message) => this.#serve(session, message),
      malformed: (error) => this.#answerError(session, undefined, error),
      broken: (error) => {
        this.#answerError(session, undefined, error);
        this.#endSession(session);
      },
      finished: () => this.#finish(session),
      closed: (error) => this.#forget(session, error),
    });
    const session: Session = this.createSession(connection);
    this.#sessions.add(session);
    this.sessionBegan(session);
    connection.start();
  }

  #chooseCodec(stream: ByteStream, firstBytes: Uint8Array): NdjsonCodec | 'unknown' | undefined {
    const protocol = detectProtocol(firstBytes);
    if (protocol === 'ndjson') return new NdjsonCodec(this.limits.maxMessageBytes);
    if (protocol === undefined) return undefined;
    this.counters.unknownProtocols += 1;
    const host = stream.peer.replace(/:\d+$/, '');
    this.#quietLog.warn(`protocol ${host}`, `closed a connection from ${host} that does not begin with a JSON object`);
    return 'unknown';
  }

  /** The peer said all it had to say and each request has been carried out: what can be answered still is. */
  #finish(session: Session): void {
    this.#endSession(session);
    if (session.pending.size === 0) session.connection.end();
  }

  #forget(session: Session, error: Error | undefined): void {
    this.logger.debug({ peer: session.address, error: error?.message }, 'disconnected');
    this.#sessions.delete(session);
    this.#endSession(session);
    if (this.#sessions.size === 0) this.#whenEmpty?.();
  }

  #endSession(session: Session): void {
    if (session.state === 'ended') return;
    session.state = 'ended';
    this.sessionEnded(session);
  }

  /** Whatever goes wrong with one message, the others are served. */
  #serve(session: Session, message: unknown): void {
    try {
      this.#route(session, message);
    } catch (error) {
      this.counters.failedRequests += 1;
      this.logger.error({ err: error, peer: session.address }, 'a message could not be served');
    }
  }

  #route(session: Session, message: unknown): void {
    const fault = findFault(message);
    if (fault !== undefined) {
      this.#refuse(session, fault.id, fault.message);
      return;
    }
    const request = message as Request;
    const id = request.id ?? undefined;
    if (id === undefined && request.parameters === undefined && this.#answerBare(session, request)) return;
    if (id !== undefined && session.pending.has(id)) {
      this.#refuse(session, undefined, `id ${JSON.stringify(id)} is in flight`);
      return;
    }
    this.#execute(session, id, request.command, request.parameters ?? {});
  }

  #answerBare(session: Session, request: Request): boolean {
    const answer = this.answerBare(session, request);
    if (answer === undefined) return false;
    const command = this.#commands.get(request.command);
    if (command !== undefined) command.requestCount += 1;
    if (answer instanceof PendingResult) answer.whenSettled((reply) => session.connection.send(reply));
    else session.connection.send(answer);
    return true;
  }

  #execute(session: Session, id: MessageId | undefined, name: string, parameters: unknown): void {
    const command = this.#commands.get(name);
    if (command === undefined) {
      this.counters.unknownCommands += 1;
      this.#reply(session, id, { status: 'unknownCommand', message: `command is ${show(name)}` });
      return;
    }
    command.requestCount += 1;
    if (command.needsId && id === undefined) {
      this.#refuse(session, id, `id is missing; ${name} needs one`);
      return;
    }
    const errors = command.validator.check(parameters);
    if (errors !== undefined) {
      this.counters.invalidRequests += 1;
      this.#reply(session, id, { status: 'invalid', message: errors[0]?.message, errors });
      return;
    }
    const { maxPendingRequests } = this.limits;
    if (session.pending.size >= maxPendingRequests && !command.isImmediate) {
      this.#reply(session, id, { status: 'limit', limit: 'maxPendingRequests', value: maxPendingRequests });
      return;
    }
    try {
      this.#answer(session, id, name, command.handler(session, parameters, id));
    } catch (error) {
      this.#fail(session, id, name, error);
    }
  }

  #answer(session: Session, id: MessageId | undefined, name: string, result: object): void {
    if (result instanceof PendingResult) {
      this.#answerLater(session, id, result);
    } else if (result instanceof Promise) {
      const pending = new PendingResult();
      this.#answerLater(session, id, pending);
      result.then(
        (value: object) => pending.settle(value),
        (error: unknown) => {
          if (id !== undefined) session.pending.delete(id);
          this.#fail(session, id, name, error);
          this.#endIfFinished(session);
        },
      );
    } else {
      this.#reply(session, id, result);
    }
  }

  #answerLater(session: Session, id: MessageId | undefined, pending: PendingResult): void {
    if (id !== undefined) session.pending.set(id, pending);
    pending.whenSettled((result) => {
      if (id !== undefined) session.pending.delete(id);
      this.#reply(session, id, result);
      this.#endIfFinished(session);
    });
  }

  #endIfFinished(session: Session): void {
    if (session.connection.isFinished && session.pending.size === 0) session.connection.end();
  }

  #reply(session: Session, id: MessageId | undefined, result: object): void {
    if (id !== undefined) session.connection.send({ id, result });
  }

  #refuse(session: Session, id: MessageId | undefined, message: string): void {
    this.#answerError(session, id, { status: 'invalid', message });
  }

  #answerError(
    session: Session,
    id: MessageId | undefined,
    error: { readonly status: ErrorStatus; readonly message: string } | ProtocolError,
  ): void {
    this.counters.invalidRequests += 1;
    const described = { status: error.status, message: error.message };
    session.connection.send(id === undefined ? { error: described } : { id, error: described });
  }

  /** What went wrong inside is for the log; the client learns only that it did. */
  #fail(session: Session, id: MessageId | undefined, command: string, error: unknown): void {
    if (error instanceof RequestError) {
      if (id !== undefined) this.#answerError(session, id, error);
      return;
    }
    this.counters.failedRequests += 1;
    this.logger.error({ err: error, command, peer: session.address }, 'a command failed');
    if (id === undefined) return;
    session.connection.send({
      id,
      error: { status: 'internal', message: 'the server failed to carry out the command' },
    });
  }
}
