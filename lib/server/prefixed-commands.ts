/** The messages of pkLockServer's clients, on the same lock manager and through the same sessions as all others. */

import { mapResult, PendingResult } from '../message/pending-result.ts';
import type { ProtocolService } from '../message/protocol-service.ts';
import type { ProtocolError, RequestError } from '../wire/errors.ts';
import { PrefixedCodec } from '../wire/prefixed-codec.ts';
import { encodedLength } from '../wire/text.ts';
import { LockRequest, type LockResult } from './lock-manager.ts';
import type { LockServerSession } from './session.ts';

/** What these messages may be at most. */
export interface PrefixedCommandsOptions {
  readonly maxMessageBytes: number;
  readonly maxNameBytes: number;
  readonly maxPendingRequests: number;
}

type Message = Readonly<Record<string, unknown>>;

/** Serves `lock` and `unlock` as pkLockServer did: what it did not answer is not answered here. */
export class PrefixedCommands implements ProtocolService<LockServerSession> {
  readonly #options: PrefixedCommandsOptions;

  constructor(options: PrefixedCommandsOptions) {
    this.#options = options;
  }

  makeCodec(): PrefixedCodec {
    return new PrefixedCodec(this.#options.maxMessageBytes);
  }

  serve(session: LockServerSession, message: unknown): undefined {
    if (!isRecord(message) || typeof message.command !== 'string') return;
    const command = message.command.toLowerCase();
    if (command === 'lock') this.#lock(session, message);
    if (command === 'unlock') answerUnlock(session, message.lockName, toLockName(message.lockName));
  }

  /** What is not JSON is passed over; what is too long is told before the connection closes. */
  refuse(session: LockServerSession, error: RequestError | ProtocolError): void {
    if (error.name !== 'ProtocolError') return;
    session.connection.send({ error: { status: error.status, message: error.message } });
  }

  #lock(session: LockServerSession, { id, parameters }: Message): void {
    if (id === undefined || id === null || typeof parameters !== 'object' || parameters === null) return;
    const reply = (status: string): void => session.connection.send({ id, result: { status } });
    const name = toLockName((parameters as Message).lockName);
    const { maxNameBytes, maxPendingRequests } = this.#options;
    if (name === undefined) {
      reply('invalid');
    } else if (encodedLength(name) > maxNameBytes || session.pendingCount >= maxPendingRequests) {
      reply('limit');
    } else {
      const result = session.locks.acquire(
        new LockRequest({ name, mode: 'exclusive', tag: '', waitMs: Number.POSITIVE_INFINITY }),
      );
      if (result instanceof PendingResult) answerLater(session, result, reply);
      else reply(result.status);
    }
  }
}

/** A wait that was withdrawn is not answered. */
function answerLater(
  session: LockServerSession,
  pending: PendingResult<LockResult>,
  reply: (status: string) => void,
): void {
  session.addPending(undefined);
  pending.whenSettled(({ status }) => {
    if (status !== 'cancelled') reply(status);
    session.removePending(undefined);
  });
}

/**
 * Unlocks by pkLockServer's bare message and answers in its form. The name comes back as it was given; one that cannot be
 * a name is undefined here.
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

/** Numbers name the same lock as their texts. */
function toLockName(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : undefined;
}

function isRecord(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
