/** Serves the messages of pkLockServer's clients with the same lock manager and sessions as all other protocols. */

import { mapResult, PendingResult } from '../../message/pending-result.ts';
import type { ProtocolService } from '../../message/protocol.ts';
import type { RefusalCause } from '../../message/refusals.ts';
import { atLimit, causeOf } from '../../server/command-refusals.ts';
import type { LockResult } from '../../server/lock-manager.ts';
import type { LockServerParts } from '../../server/lock-protocol.ts';
import type { LockServerSession } from '../../server/session.ts';
import type { ProtocolError, RequestError } from '../../wire/errors.ts';
import { isTooManyValues } from '../../wire/json-values.ts';
import { encodedLength } from '../../wire/text.ts';
import { PrefixedCodec } from './prefixed-codec.ts';

type Message = Readonly<Record<string, unknown>>;

/** An id may be any value, and is kept as long as its request waits. */
const MAX_ID_CHARACTERS = 128;

/** Serves `lock` and `unlock` as pkLockServer did. Messages that it left unanswered stay unanswered here. */
export class PrefixedCommands implements ProtocolService<LockServerSession> {
  readonly #parts: LockServerParts;

  constructor(parts: LockServerParts) {
    this.#parts = parts;
  }

  makeCodec(): PrefixedCodec {
    const { maxMessageBytes, maxMessageValues } = this.#parts.limits;
    return new PrefixedCodec(maxMessageBytes, maxMessageValues);
  }

  serve(session: LockServerSession, message: unknown): undefined {
    if (!isRecord(message) || typeof message.command !== 'string') return;
    const command = message.command.toLowerCase();
    if (command === 'lock') this.#lock(session, message);
    if (command === 'unlock') answerUnlock(session, message.lockName, toLockName(message.lockName));
  }

  /**
   * Ignores a frame that is not JSON or has too many values. Tells the client about a frame that is too long, before the
   * connection closes.
   */
  refuse(session: LockServerSession, error: RequestError | ProtocolError): void {
    const { maxMessageValues } = this.#parts.limits;
    if (isTooManyValues(error)) this.#parts.onRefused(session, atLimit('maxMessageValues', maxMessageValues));
    if (error.name !== 'ProtocolError') return;
    session.connection.send({ error: { status: error.status, message: error.message } });
  }

  #lock(session: LockServerSession, { id, parameters }: Message): void {
    if (id === undefined || id === null || typeof parameters !== 'object' || parameters === null) return;
    const name = toLockName((parameters as Message).lockName);
    if (name === undefined || !isShort(id)) {
      reply(session, id, 'invalid');
      return;
    }
    const limit = this.#findLimit(session, name);
    if (limit !== undefined) {
      this.#parts.onRefused(session, limit);
      reply(session, id, 'limit');
      return;
    }
    const result = session.locks.acquire({ name, mode: 'exclusive', tag: '', waitMs: Number.POSITIVE_INFINITY });
    if (result instanceof PendingResult) answerLater(session, result, (lock) => this.#tell(session, id, lock));
    else this.#tell(session, id, result);
  }

  #tell(session: LockServerSession, id: unknown, lock: LockResult): void {
    const cause = lock.status === 'ok' ? undefined : causeOf(lock);
    if (cause !== undefined) this.#parts.onRefused(session, cause);
    reply(session, id, lock.status);
  }

  #findLimit(session: LockServerSession, name: string): RefusalCause | undefined {
    const { maxNameBytes, maxPendingRequests } = this.#parts.limits;
    if (encodedLength(name) > maxNameBytes) return atLimit('maxNameBytes', maxNameBytes);
    return session.pendingCount < maxPendingRequests ? undefined : atLimit('maxPendingRequests', maxPendingRequests);
  }
}

function reply(session: LockServerSession, id: unknown, status: string): void {
  session.connection.send({ id, result: { status } });
}

/** A cancelled wait gets no answer. */
function answerLater(
  session: LockServerSession,
  pending: PendingResult<LockResult>,
  tell: (lock: LockResult) => void,
): void {
  session.addPending(undefined);
  pending.whenSettled((lock) => {
    if (lock.status !== 'cancelled') tell(lock);
    session.removePending(undefined);
  });
}

/**
 * Serves pkLockServer's bare `unlock` and answers in its form. The reply repeats the name as `given`; `lockName` is
 * undefined if that cannot be a name.
 */
export function answerUnlock(session: LockServerSession, given: unknown, lockName: string | undefined): void {
  if (lockName === undefined) {
    session.connection.send({ attempted: 'unlock', result: 'invalid' });
    return;
  }
  mapResult(session.locks.release({ name: lockName }), (result) => {
    const outcome = result.status === 'ok' ? 'ok' : 'notFound';
    session.connection.send({ attempted: 'unlock', result: outcome, lockName: given });
    return result;
  });
}

function isShort(id: unknown): boolean {
  if (typeof id === 'number') return true;
  const text = typeof id === 'string' ? id : JSON.stringify(id);
  return text.length <= MAX_ID_CHARACTERS;
}

/** A number names the same lock as its text. */
function toLockName(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : undefined;
}

function isRecord(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
