/** A small message server that has nothing to do with locks: it counts, echoes, waits, fails and sends events. */

import { EventEmitter, once } from 'node:events';
import type { CommandTable } from '../../lib/message/command-table.ts';
import type { MessageConnection } from '../../lib/message/message-connection.ts';
import type { MessageLimits } from '../../lib/message/message-limits.ts';
import type { Request } from '../../lib/message/message-router.ts';
import { MessageServer } from '../../lib/message/message-server.ts';
import { MessageSession } from '../../lib/message/message-session.ts';
import { PendingResult } from '../../lib/message/pending-result.ts';
import { RequestError } from '../../lib/wire/errors.ts';
import type { RecordingLogger } from './recording-logger.ts';

const key = { type: 'string', description: 'a string' };
const whole = { type: 'integer', description: 'a whole number' };

export const COUNTER_COMMANDS: CommandTable = {
  ping: { serving: 'atOnce', parameters: {} },
  add: { parameters: { properties: { amount: whole }, additionalProperties: false } },
  needy: { needsId: true, parameters: {} },
  echo: { serving: 'atOnce', parameters: { properties: { value: {} } } },
  blob: { parameters: { properties: { bytes: whole }, required: ['bytes'] } },
  fail: { parameters: { properties: { detail: key } } },
  refuse: { parameters: {} },
  reject: { parameters: { properties: { politely: { type: 'boolean' } } } },
  odd: { parameters: { properties: { kind: { enum: ['direct', 'promised', 'pending'] } } } },
  wait: { parameters: { properties: { key }, required: ['key'] } },
  promise: { parameters: { properties: { key }, required: ['key'] } },
  release: { serving: 'atOnce', parameters: { properties: { key }, required: ['key'] } },
  page: { serving: 'inPages', parameters: { properties: { key, bytes: whole } } },
  broadcast: { serving: 'atOnce', parameters: { properties: { count: whole, bytes: whole } } },
};

/** A result that cannot be JSON. */
const UNSENDABLE = { status: 'ok', value: 1n };

interface CounterServerOptions {
  readonly limits: Partial<MessageLimits>;
  readonly logger: RecordingLogger;
  readonly commands?: CommandTable;
}

export class CounterServer extends MessageServer {
  /** Sessions in order of their beginnings and ends, twice if one began or ended twice. */
  readonly began: MessageSession[] = [];
  readonly ended: MessageSession[] = [];
  /** The unsent output at each `blob`. */
  readonly unsentAtBlob: number[] = [];
  /** The keys of every `page` request, and the unsent bytes at each `page` without a key. */
  readonly pages: string[] = [];
  readonly unsentAtPage: number[] = [];
  count = 0;
  drained: Promise<void> = Promise.resolve();
  readonly #waits = new Map<string, { session: MessageSession | undefined; settle(result: object): void }>();
  readonly #changes = new EventEmitter();

  constructor({ limits, logger, commands = COUNTER_COMMANDS }: CounterServerOptions) {
    super({ commands, limits, logger });
  }

  override get sessionCount(): number {
    return super.sessionCount;
  }

  /** Waits that end with their session. */
  get waitCount(): number {
    return [...this.#waits.values()].filter(({ session }) => session !== undefined).length;
  }

  /** Resolves as soon as the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#changes, 'change');
  }

  commandPing(): object {
    return { status: 'ok' };
  }

  commandAdd(_session: MessageSession, { amount = 1 }: { amount?: number }): object {
    this.count += amount;
    return { status: 'ok', count: this.count };
  }

  commandNeedy(): object {
    this.count += 1;
    return { status: 'ok' };
  }

  commandEcho(_session: MessageSession, { value }: { value?: unknown }): object {
    return { status: 'ok', value };
  }

  commandBlob(session: MessageSession, { bytes }: { bytes: number }): object {
    this.unsentAtBlob.push(session.connection.unsentBytes);
    return { status: 'ok', blob: 'x'.repeat(bytes) };
  }

  /** Waits for its key to be released if it has one. */
  commandPage(session: MessageSession, parameters: { key?: string; bytes?: number }): object {
    const { key: waitKey, bytes = 0 } = parameters;
    if (waitKey === undefined) {
      this.unsentAtPage.push(session.connection.unsentBytes);
      return { status: 'ok', page: 'x'.repeat(bytes) };
    }
    this.pages.push(waitKey);
    if (waitKey === 'throw') throw new Error('no page');
    const pending = new PendingResult();
    this.#addWait(waitKey, undefined, (result) => pending.settle(result));
    return pending;
  }

  commandFail(_session: MessageSession, { detail }: { detail?: string }): object {
    throw new Error(detail);
  }

  commandRefuse(): object {
    throw new RequestError('limit', 'there is enough of it');
  }

  async commandReject(_session: MessageSession, { politely = false }: { politely?: boolean }): Promise<object> {
    await Promise.resolve();
    throw politely ? new RequestError('invalid', 'not like that') : new Error('a secret');
  }

  commandOdd(session: MessageSession, { kind }: { kind?: string }): object {
    if (kind === 'promised') return Promise.resolve(UNSENDABLE);
    if (kind !== 'pending') return UNSENDABLE;
    const pending = new PendingResult();
    this.#addWait('odd', session, () => pending.settle(UNSENDABLE));
    return pending;
  }

  commandWait(session: MessageSession, parameters: { key: string }): PendingResult {
    const pending = new PendingResult();
    this.#addWait(parameters.key, session, (result) => pending.settle(result));
    return pending;
  }

  /** Does not end with the session; is rejected when its key begins with `bad`. */
  commandPromise(_session: MessageSession, parameters: { key: string }): Promise<object> {
    const { key: waitKey } = parameters;
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new Error('a secret'));
      this.#addWait(waitKey, undefined, waitKey.startsWith('bad') ? fail : resolve);
    });
  }

  commandRelease(_session: MessageSession, parameters: { key: string }): object {
    const wait = this.#waits.get(parameters.key);
    this.#waits.delete(parameters.key);
    wait?.settle({ status: 'ok', released: parameters.key });
    return { status: wait === undefined ? 'notHeld' : 'ok' };
  }

  commandBroadcast(session: MessageSession, { count = 1, bytes = 0 }: { count?: number; bytes?: number }): object {
    for (let number = 1; number <= count; number += 1) {
      for (const other of this.sessions) {
        if (other !== session) other.sendEvent({ event: 'tick', number, blob: 'x'.repeat(bytes) });
      }
    }
    return { status: 'ok' };
  }

  protected override createSession(connection: MessageConnection): MessageSession {
    return new MessageSession(connection);
  }

  protected override sessionBegan(session: MessageSession): void {
    this.began.push(session);
    this.#changes.emit('change');
  }

  /** Ends the waits of its client, except promises. */
  protected override sessionEnded(session: MessageSession): void {
    this.ended.push(session);
    for (const [waitKey, wait] of [...this.#waits]) {
      if (wait.session !== session) continue;
      this.#waits.delete(waitKey);
      wait.settle({ status: 'cancelled' });
    }
    this.#changes.emit('change');
  }

  protected override drain(): Promise<void> {
    return this.drained;
  }

  /** Answers a message without id and parameters, as in another protocol. */
  protected override answerBare(session: MessageSession, message: Request): boolean {
    if (message.amount === 'unlucky') throw new Error('bad luck');
    if (typeof message.amount === 'number') {
      this.count += message.amount;
      session.connection.send({ attempted: 'add', count: this.count });
      return true;
    }
    if (typeof message.key !== 'string') return false;
    this.commandWait(session, { key: message.key }).whenSettled((reply) => session.connection.send(reply));
    return true;
  }

  #addWait(waitKey: string, session: MessageSession | undefined, settle: (result: object) => void): void {
    this.#waits.set(waitKey, { session, settle });
    this.#changes.emit('change');
  }
}
