/** Requests of the message protocol: from a message to the method of its command, and from its result to the reply. */

import { type ProtocolError, RequestError } from '../wire/errors.ts';
import { isTooManyValues } from '../wire/json-values.ts';
import { ServerCodec } from '../wire/server-codec.ts';
import type { ErrorStatus } from '../wire/statuses.ts';
import { encodedLength } from '../wire/text.ts';
import { type Command, countNotOk } from './command-table.ts';
import type { Logger } from './logger.ts';
import type { MessageCounters } from './message-counters.ts';
import type { MessageLimits } from './message-limits.ts';
import type { MessageId, MessageSession } from './message-session.ts';
import type { PagedWork } from './paged-work.ts';
import { PendingResult } from './pending-result.ts';
import type { ProtocolService } from './protocol.ts';
import { show } from './show.ts';

const MAX_ID_BYTES = 128;
/** How many characters the listings of one session that wait may have in their parameters. */
const MAX_WAITING_CHARACTERS = 131_072;
const ID_EXPECTED = `a whole number between -2^53 and 2^53, or a string of up to ${MAX_ID_BYTES} bytes`;

/** A request whose outer form is right. `null` counts as no id. */
export interface Request {
  readonly command: string;
  readonly id?: MessageId | null;
  readonly parameters?: unknown;
  readonly [key: string]: unknown;
}

/** What the router works with. */
export interface MessageRouterOptions<Session extends MessageSession> {
  readonly commands: ReadonlyMap<string, Command>;
  readonly limits: MessageLimits;
  readonly logger: Logger;
  readonly counters: MessageCounters;
  readonly pagedWork: PagedWork;
  /** Counts a request that was refused at a limit. */
  readonly countRefusal: (limit: string) => void;
  /** Whether there is no room for the answers to listings, beside the listings that wait and take `furtherBytes`. */
  readonly isOutputFull: (furtherBytes?: number) => boolean;
  /** Serves a message without an id and without `parameters` where that is another protocol's custom. */
  readonly answerBare: (session: Session, request: Request) => boolean;
}

/** Serves newline-delimited JSON. Only names in the table of commands ever lead to a method. */
export class MessageRouter<Session extends MessageSession> implements ProtocolService<Session> {
  readonly #commands: ReadonlyMap<string, Command>;
  readonly #limits: MessageLimits;
  readonly #logger: Logger;
  readonly #counters: MessageCounters;
  readonly #pagedWork: PagedWork;
  readonly #countRefusal: MessageRouterOptions<Session>['countRefusal'];
  readonly #isOutputFull: MessageRouterOptions<Session>['isOutputFull'];
  readonly #answerBareWith: MessageRouterOptions<Session>['answerBare'];

  constructor(options: MessageRouterOptions<Session>) {
    this.#commands = options.commands;
    this.#limits = options.limits;
    this.#logger = options.logger;
    this.#counters = options.counters;
    this.#pagedWork = options.pagedWork;
    this.#countRefusal = options.countRefusal;
    this.#isOutputFull = options.isOutputFull;
    this.#answerBareWith = options.answerBare;
  }

  makeCodec(): ServerCodec {
    return new ServerCodec(this.#limits.maxMessageBytes, this.#limits.maxMessageValues);
  }

  refuse(session: Session, error: RequestError | ProtocolError): void {
    if (isTooManyValues(error)) this.#countRefusal('maxMessageValues');
    this.#answerError(session, undefined, error);
  }

  serve(session: Session, message: unknown): PendingResult | undefined {
    const fault = findFault(message);
    if (fault !== undefined) {
      this.#refuse(session, fault.id, fault.message);
      return undefined;
    }
    const request = message as Request;
    const id = request.id ?? undefined;
    if (id === undefined && request.parameters === undefined && this.#answerBare(session, request)) return undefined;
    if (id !== undefined && session.pendingCount > 0 && session.isPending(id)) {
      this.#refuse(session, undefined, `id ${JSON.stringify(id)} is in flight`);
      return undefined;
    }
    return this.#execute(session, id, request.command, request.parameters ?? {});
  }

  #answerBare(session: Session, request: Request): boolean {
    if (!this.#answerBareWith(session, request)) return false;
    const command = this.#commands.get(request.command);
    if (command !== undefined) command.requestCount += 1;
    return true;
  }

  #execute(session: Session, id: MessageId | undefined, name: string, parameters: unknown): PendingResult | undefined {
    const command = this.#commands.get(name);
    if (command === undefined) {
      this.#counters.unknownCommands += 1;
      this.#send(session, id, name, { status: 'unknownCommand', message: `command is ${show(name)}` });
      return undefined;
    }
    command.requestCount += 1;
    if (command.needsId && id === undefined) {
      this.#refuse(session, id, `id is missing; ${name} needs one`);
      return undefined;
    }
    if (!command.validator.isValid(parameters)) {
      const errors = command.validator.problems();
      this.#counters.invalidRequests += 1;
      this.#answer(session, id, command, { status: 'invalid', message: errors[0]?.message, errors });
      return undefined;
    }
    if (command.serving === 'inPages') {
      this.#executeInPages(session, id, command, parameters);
      return undefined;
    }
    const { maxPendingRequests } = this.#limits;
    if (session.pendingCount >= maxPendingRequests && command.serving === 'mayWait') {
      this.#answer(session, id, command, { status: 'limit', limit: 'maxPendingRequests', value: maxPendingRequests });
      return undefined;
    }
    try {
      return this.#answer(session, id, command, command.handler.call(command.server, session, parameters, id));
    } catch (error) {
      this.#fail(session, id, name, error);
      return undefined;
    }
  }

  #executeInPages(session: Session, id: MessageId | undefined, command: Command, parameters: unknown): void {
    const { maxPendingListings } = this.#limits;
    const { name, handler, server } = command;
    const waiting = this.#pagedWork.countOf(session);
    const characters = charactersOf(parameters);
    if (waiting.pieces >= maxPendingListings || waiting.characters + characters > MAX_WAITING_CHARACTERS) {
      this.#answer(session, id, command, { status: 'limit', limit: 'maxPendingListings', value: maxPendingListings });
      return;
    }
    if (this.#isOutputFull(this.#pagedWork.bytesWith(characters))) {
      this.#answer(session, id, command, this.#noRoom());
      return;
    }
    session.addPending(id);
    this.#pagedWork.add(
      session,
      (done) => {
        try {
          const result = this.#isOutputFull() ? this.#noRoom() : handler.call(server, session, parameters, id);
          this.#answerWhenSettled(session, id, command, result, done);
        } catch (error) {
          this.#fail(session, id, name, error);
          session.removePending(id);
          done();
        }
      },
      characters,
    );
  }

  #noRoom(): object {
    return { status: 'limit', limit: 'totalOutputBytes', value: this.#limits.totalOutputBytes };
  }

  /**
   * Sends a result, now or when it comes; returns what the connection has to wait for. A result that cannot be written as JSON is
   * a failure of the handler's.
   */
  #answer(
    session: MessageSession,
    id: MessageId | undefined,
    command: Command,
    result: object,
  ): PendingResult | undefined {
    if (result instanceof PendingResult || result instanceof Promise) {
      session.addPending(id);
      const sent = result instanceof PendingResult && result.isOrdered ? new PendingResult() : undefined;
      this.#answerWhenSettled(session, id, command, result, () => sent?.settle({}));
      return sent;
    }
    const { status, limit } = result as { readonly status?: unknown; readonly limit?: unknown };
    if (status === 'limit' && typeof limit === 'string') this.#countRefusal(limit);
    if (status !== 'ok' && typeof status === 'string') countNotOk(command, status);
    this.#send(session, id, command.name, result);
    return undefined;
  }

  /** A request without an id gets no reply. */
  #send(session: MessageSession, id: MessageId | undefined, name: string, result: object): void {
    if (id === undefined) return;
    try {
      session.connection.send({ id, result });
    } catch (error) {
      this.#fail(session, id, name, error);
    }
  }

  /** Answers a request that is pending, then calls `done`. */
  #answerWhenSettled(
    session: MessageSession,
    id: MessageId | undefined,
    command: Command,
    result: object,
    done?: () => void,
  ): void {
    const end = (send: (to: MessageSession) => void): void => {
      const to = session.receiver;
      // A client that came back on another connection may no longer want the answer.
      if (to === session || (id !== undefined && to.isPending(id))) {
        send(to);
        to.removePending(id);
      }
      done?.();
    };
    const answer = (settled: object): void => end((to) => this.#answer(to, id, command, settled));
    const fail = (error: unknown): void => end((to) => this.#fail(to, id, command.name, error));
    if (result instanceof PendingResult) result.whenSettled(answer);
    else if (result instanceof Promise) result.then(answer, fail);
    else answer(result);
  }

  #refuse(session: Session, id: MessageId | undefined, message: string): void {
    this.#answerError(session, id, { status: 'invalid', message });
  }

  #answerError(
    session: MessageSession,
    id: MessageId | undefined,
    error: { readonly status: ErrorStatus; readonly message: string } | ProtocolError,
  ): void {
    this.#counters.invalidRequests += 1;
    const described = { status: error.status, message: error.message };
    session.connection.send(id === undefined ? { error: described } : { id, error: described });
  }

  /** What went wrong inside is for the log; the client learns only that it did. */
  #fail(session: MessageSession, id: MessageId | undefined, command: string, error: unknown): void {
    if (error instanceof RequestError) {
      if (id !== undefined) this.#answerError(session, id, error);
      return;
    }
    this.#counters.failedRequests += 1;
    this.#logger.error({ err: error, command, peer: session.address }, 'a command failed');
    if (id === undefined) return;
    session.connection.send({
      id,
      error: { status: 'internal', message: 'the server failed to carry out the command' },
    });
  }
}

/** Why a message is no `Request`, and its id if that can be read. */
interface Fault {
  readonly id: MessageId | undefined;
  readonly message: string;
}

function findFault(message: unknown): Fault | undefined {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    return { id: undefined, message: `the message is ${show(message)}; expected an object` };
  }
  const { id = null, command } = message as Readonly<Record<string, unknown>>;
  if (id !== null && !Number.isSafeInteger(id) && !isShortText(id)) {
    return { id: undefined, message: `id is ${show(id)}; expected ${ID_EXPECTED}` };
  }
  if (typeof command === 'string') return undefined;
  const found = command === undefined ? 'command is missing' : `command is ${show(command)}; expected a string`;
  return { id: (id as MessageId | null) ?? undefined, message: found };
}

/** The characters of the texts among the parameters, which are kept while the request waits. */
function charactersOf(parameters: unknown): number {
  let characters = 0;
  for (const value of Object.values(parameters as object)) if (typeof value === 'string') characters += value.length;
  return characters;
}

function isShortText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MAX_ID_BYTES && encodedLength(value) <= MAX_ID_BYTES;
}
