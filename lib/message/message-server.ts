/**
 * A server of newline-delimited JSON messages, to be extended: `{"command":"lock"}` is carried out by `commandLock`.
 * It listens, routes, checks parameters and replies; what the commands do is up to the class that extends it.
 */

import type { Codec } from '../wire/codec.ts';
import { detectProtocol } from '../wire/detect.ts';
import type { ProtocolError } from '../wire/errors.ts';
import type { ByteStream, Listener, ListenerEvents } from './byte-stream.ts';
import { ledToCaller } from './caller-stack.ts';
import { bindCommands, type Command, type CommandTable } from './command-table.ts';
import { ConnectionPlaces, type Occupant, Place } from './connection-places.ts';
import { consoleLogger, type Logger } from './logger.ts';
import { type ConnectionEvents, MessageConnection } from './message-connection.ts';
import { type MessageCounters, newMessageCounters } from './message-counters.ts';
import { UnreadOutputError } from './message-error.ts';
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from './message-limits.ts';
import { MessageRouter, type Request } from './message-router.ts';
import type { MessageSession } from './message-session.ts';
import { PagedWork } from './paged-work.ts';
import { PartialMessageError } from './partial-messages.ts';
import { DetectingCodecFinder, type ListenOptions, type ProtocolService, type ServedProtocol } from './protocol.ts';
import { QuietLog } from './quiet-log.ts';
import {
  DRAINING,
  foreignProtocol,
  noRoomForMessage,
  onlyWhiteSpace,
  protocolNotServed,
  tooLong,
  tooSlow,
  unreadOutput,
} from './refusal-causes.ts';
import { CONNECTION_REFUSALS, type ConnectionRefusalReason, hostOf, type RefusalCause, Refusals } from './refusals.ts';
import { ServerReading } from './server-reading.ts';
import { pause } from './timeout.ts';

/** How long clients may take to close their side when the server stops. */
const CLOSE_TIMEOUT_AT_STOP_MS = 1_000;

/** White space that a connection may send before anything that tells its protocol. */
const MAX_UNDETECTED_BYTES = 65_536;

const OPENING_BRACE = 0x7b;

/**
 * How a connection ends: `left`: the client closed its side, as its system does for it when it exits. `lost`: it was reset, or the
 * server or a proxy closed it, so the client may still be there. `stopped`: the server stops.
 */
export type ConnectionEnd = 'left' | 'lost' | 'stopped';

/** How a server is closed. */
export interface CloseOptions {
  /** How long clients may take to finish, in milliseconds. */
  readonly drainMs?: number;
  /** Ends that time early. */
  readonly signal?: AbortSignal;
}

/** How a server is made. */
export interface MessageServerOptions {
  readonly commands: CommandTable;
  readonly limits?: Partial<MessageLimits>;
  /** Prints warnings and errors to the console when none is given. */
  readonly logger?: Logger;
  /** Reasons for which the class that extends the server refuses commands; they are counted from the start. */
  readonly refusalReasons?: readonly string[];
}

/**
 * Extend it with a table of commands and a `commandXxx` method for each. A method takes `(session, parameters, id)` and
 * returns the result, an object; or a promise or a `PendingResult` when it comes later; or throws a `RequestError`.
 */
export abstract class MessageServer<
  Session extends MessageSession = MessageSession,
  Options extends ListenOptions = ListenOptions,
> {
  readonly counters: MessageCounters;
  protected readonly limits: MessageLimits;
  protected readonly logger: Logger;
  protected readonly pagedWork: PagedWork;
  /** For lines that clients can cause. */
  protected readonly quietLog: QuietLog;
  readonly #commands: ReadonlyMap<string, Command>;
  readonly #protocols: ServedProtocol<Session>[];
  readonly #listeners: Listener[] = [];
  readonly #sessions = new Set<Session>();
  readonly #refusals: Refusals;
  readonly #places: ConnectionPlaces;
  readonly #reading: ServerReading;
  #whenEmpty: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** @throws Error when a command of the table has no method. */
  constructor(options: MessageServerOptions) {
    this.limits = { ...DEFAULT_MESSAGE_LIMITS, ...options.limits };
    this.logger = options.logger ?? consoleLogger;
    this.#reading = new ServerReading(this.limits);
    this.pagedWork = new PagedWork(this.limits, () => this.#reading.isFull());
    this.quietLog = new QuietLog(this.logger);
    this.#refusals = new Refusals(this.quietLog, [
      ...Object.keys(CONNECTION_REFUSALS),
      ...(options.refusalReasons ?? []),
    ]);
    this.#places = new ConnectionPlaces(this.limits, (refusal) => this.#refusals.add(refusal));
    this.counters = newMessageCounters(this.#refusals.counts);
    this.#commands = bindCommands(options.commands, this);
    const router = new MessageRouter<Session>({
      commands: this.#commands,
      limits: this.limits,
      logger: this.logger,
      counters: this.counters,
      pagedWork: this.pagedWork,
      countRefusal: (limit) => this.#refusals.count(limit),
      isOutputFull: (furtherBytes) => this.#reading.isFull(furtherBytes),
      answerBare: (session, request) => this.answerBare(session, request),
    });
    this.#protocols = [
      { name: 'ndjson', isForFrames: true, beginsWith: (byte) => byte === OPENING_BRACE, service: () => router },
    ];
  }

  /** Listens on a further listener; resolves to its address. Rejects with the system's error, such as `EADDRINUSE`. */
  async listen(listener: Listener, options: Options = {} as Options): Promise<string> {
    if (this.#closing !== undefined) throw new Error('the server is closed');
    this.#listeners.push(listener);
    const events: ListenerEvents = {
      arrived: (address, socket) => this.#takePlace(address, socket),
      accepted: (stream, place) => this.#accept(stream, options, place),
      refused: (refusal) => this.#refusals.add(refusal),
      noticed: (details, message) => this.logger.info(details, message),
      failed: (error) => this.logger.error({ err: error }, 'a connection could not be accepted'),
    };
    try {
      return await listener.open(events);
    } catch (error) {
      throw ledToCaller(error);
    }
  }

  /**
   * Stops listening, gives clients up to `drainMs` milliseconds (none by default) to finish, or until `signal` aborts, then closes
   * all connections. Resolves when they are gone, or rejects then with the first error of a listener; a second call waits for
   * the first.
   */
  close({ drainMs = 0, signal }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs, signal);
    return this.#closing;
  }

  /** How often each command was asked for since the server was made. */
  get requestCounts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#commands.values()].map(({ name, requestCount }) => [name, requestCount]));
  }

  /** How often each command was answered with another status than `ok`, by status. */
  get notOkCounts(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    const counted = [...this.#commands.values()].filter(({ notOkCounts }) => notOkCounts.size > 0);
    return Object.fromEntries(counted.map(({ name, notOkCounts }) => [name, Object.fromEntries(notOkCounts)]));
  }

  /** Makes other limits hold from now on, for all that is left to come. Those of a codec hold for new connections. */
  protected setLimits(limits: Partial<MessageLimits>): void {
    Object.assign(this.limits, limits);
  }

  /** The current sessions, in the order in which they began. */
  protected get sessions(): readonly Session[] {
    return [...this.#sessions];
  }

  /** Whether it was told to stop. */
  protected get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** How many there are. */
  protected get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Makes the session of a new connection. */
  protected abstract createSession(connection: MessageConnection, options: Options): Session;

  /** Serves a further protocol. Its connections must begin differently from those of all others. */
  protected addProtocol(protocol: ServedProtocol<Session>): void {
    this.#protocols.push(protocol);
  }

  /** A client has come. */
  protected sessionBegan(_session: Session): void {}

  /** A client has left, or will send no more. Its pending results may still be settled. */
  protected sessionEnded(_session: Session, _end: ConnectionEnd): void {}

  /** Ends a session and its connection at once. */
  protected cutOff(session: Session): void {
    this.#endSession(session, 'lost');
    session.connection.destroy();
  }

  /** Counts and logs a closed connection or a refused command, because the peer may not learn the reason. */
  protected refused(peer: string, cause: RefusalCause): void {
    this.#refusals.add({ ...cause, address: hostOf(peer) });
  }

  /** Waits until the clients have finished; the server ends it after the time that `close` was given. */
  protected drain(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Serves a message without an id and without `parameters` in another way, where another protocol's custom asks for it;
   * false when it is to be served as any other.
   */
  protected answerBare(_session: Session, _message: Request): boolean {
    return false;
  }

  async #close(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    const closings = await Promise.allSettled(this.#listeners.map(async (listener) => await listener.close()));
    const drained = this.drain();
    const drainEnd = new AbortController();
    await Promise.race([drained, pause(drainMs, signal, drainEnd.signal)]);
    drainEnd.abort();
    const gone = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const session of [...this.#sessions]) {
      this.#endSession(session, 'stopped');
      session.connection.end(CLOSE_TIMEOUT_AT_STOP_MS);
    }
    if (this.#sessions.size > 0) await gone;
    this.quietLog.flush();
    const failed = closings.find((closing) => closing.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Returns why there is no place if there is none. */
  #takePlace(address: string, occupant: Occupant): Place | RefusalCause<ConnectionRefusalReason> {
    return this.#closing === undefined ? this.#places.take(address, occupant) : DRAINING;
  }

  #accept(stream: ByteStream, options: Options, given?: Place): void {
    const isGiven = given !== undefined && this.#closing === undefined;
    const place = isGiven ? given : this.#takePlace(hostOf(stream.peer), stream);
    if (!(place instanceof Place)) {
      this.refused(stream.peer, place);
      stream.destroy();
      return;
    }
    this.#begin(stream, options, place);
  }

  /** Serves a connection that has its place. */
  #begin(stream: ByteStream, options: Options, place: Place): void {
    this.logger.debug({ peer: stream.peer }, 'connected');
    this.counters.connections += 1;
    // A frame that closes comes from the client itself; a side that is closed without one may be the proxy's.
    const endOfPeer: ConnectionEnd = options.proxied === true && !stream.isFramed ? 'lost' : 'left';
    let service: ProtocolService<Session> | undefined;
    const chooseCodec = (bytes: Uint8Array, whiteSpaceBytes: number): Codec | undefined => {
      const chosen = this.#chooseProtocol(connection, bytes, whiteSpaceBytes, options);
      if (chosen === undefined) return undefined;
      session.protocol = chosen.name;
      service = chosen.service(options);
      return service.makeCodec();
    };
    const events: ConnectionEvents = {
      message: (message) => {
        if (place.state === 'silent') place.keep();
        // An error in one message must not stop the others.
        try {
          return service?.serve(session, message);
        } catch (error) {
          this.counters.failedRequests += 1;
          this.logger.error({ err: error, peer: session.address }, 'a message could not be served');
          return undefined;
        }
      },
      malformed: (error) => service?.refuse(session, error),
      broken: (error) => {
        service?.refuse(session, error);
        if (error.status === 'limit') this.refused(stream.peer, this.#causeOf(error));
        this.#endSession(session, 'lost');
      },
      // The peer said all it had to say and each request has been carried out: answers to come are still sent.
      finished: () => {
        this.#endSession(session, endOfPeer);
        session.endIfAnswered();
      },
      closed: (error, hasPeerEnded) => {
        place.free();
        this.#forget(session, error, hasPeerEnded ? endOfPeer : 'lost');
      },
    };
    const connection = new MessageConnection(
      stream,
      new DetectingCodecFinder(chooseCodec),
      this.limits,
      events,
      this.#reading,
    );
    const made = this.#beginSession(connection, options);
    if (made === undefined) {
      place.free();
      stream.destroy();
      return;
    }
    const session: Session = made;
    connection.start();
  }

  #beginSession(connection: MessageConnection, options: Options): Session | undefined {
    try {
      const session = this.createSession(connection, options);
      this.sessionBegan(session);
      this.#sessions.add(session);
      return session;
    } catch (error) {
      this.logger.error({ err: error, peer: connection.peer }, 'a session could not begin');
      return undefined;
    }
  }

  /** Undefined while the first bytes do not tell the protocol, and for a connection that is turned away. */
  #chooseProtocol(
    connection: MessageConnection,
    bytes: Uint8Array,
    whiteSpaceBytes: number,
    { protocols: names }: Options,
  ): ServedProtocol<Session> | undefined {
    const served = this.#protocols.filter(({ name }) => names?.includes(name) ?? true);
    const detected = detectProtocol(bytes, this.#protocols, served.length === 1 ? served[0] : undefined);
    if (detected === undefined) {
      if (whiteSpaceBytes + bytes.length <= MAX_UNDETECTED_BYTES) return undefined;
      return this.#turnAway(connection, onlyWhiteSpace(MAX_UNDETECTED_BYTES));
    }
    if (detected === 'unknown') return this.#turnAway(connection, foreignProtocol(bytes));
    const isPossible = detected.isForFrames || !connection.isFramed;
    if (isPossible && served.includes(detected)) return detected;
    return this.#turnAway(connection, protocolNotServed(detected.name, isPossible));
  }

  #turnAway(connection: MessageConnection, cause: RefusalCause): undefined {
    this.refused(connection.peer, cause);
    connection.destroy();
    return undefined;
  }

  #causeOf(error: ProtocolError): RefusalCause {
    if (!(error instanceof PartialMessageError)) return tooLong(this.limits.maxMessageBytes);
    return error.limit === 'messageTimeoutMs'
      ? tooSlow(this.limits.messageTimeoutMs)
      : noRoomForMessage(this.limits.totalInputBytes);
  }

  #forget(session: Session, error: Error | undefined, end: ConnectionEnd): void {
    this.logger.debug({ peer: session.address, error: error?.message }, 'disconnected');
    if (error instanceof UnreadOutputError)
      this.refused(session.address, unreadOutput(error.limit, this.limits[error.limit]));
    this.#sessions.delete(session);
    this.pagedWork.forget(session);
    this.#endSession(session, end);
    if (this.#sessions.size === 0) this.#whenEmpty?.();
  }

  #endSession(session: Session, end: ConnectionEnd): void {
    if (session.state === 'ended') return;
    session.state = 'ended';
    try {
      this.sessionEnded(session, end);
    } catch (error) {
      this.logger.error({ err: error, peer: session.address }, 'a session did not end as it should');
    }
  }
}
