/**
 * The commands of the line protocol of lockd and glockd. They use the same lock manager and sessions as the messages.
 */

import type { LockKind } from '../../locks/types.ts';
import { mapResult, PendingResult } from '../../message/pending-result.ts';
import type { ProtocolService } from '../../message/protocol.ts';
import { HTTP_REQUEST } from '../../message/refusal-causes.ts';
import type { ReleaseResult } from '../../protocol.ts';
import { atLimit, causeOf } from '../../server/command-refusals.ts';
import type { LockResult } from '../../server/lock-manager.ts';
import type { LockServerParts } from '../../server/lock-protocol.ts';
import type { LockServerSession } from '../../server/session.ts';
import type { ProtocolError, RequestError } from '../../wire/errors.ts';
import { encodedLength } from '../../wire/text.ts';
import { type CommandLine, LineCodec, type LineReply } from './line-codec.ts';
import { DIALECTS, type Dialect, type LineTexts, line as reply } from './line-dialects.ts';
import type { LineListings } from './line-listings.ts';
import type { CommandCounter, LineStatistics } from './line-statistics.ts';

/** The parts that the line commands need. */
interface LineCommandsOptions extends LockServerParts {
  readonly statistics: LineStatistics;
  readonly listings: LineListings;
  readonly dialect: Dialect;
}

/** A command's reply, now or later, or none. */
type Answer = LineReply | PendingResult<LineReply> | undefined;

type Handler = (session: LockServerSession, line: CommandLine) => Answer;

/** A command's handler and its counter. */
interface Command {
  readonly handler: Handler;
  readonly counter: CommandCounter;
}

const DISABLED: LineReply = { text: '0 disabled\n' };
const NO_REPLY: LineReply = { text: '' };
/** A first line that ends like this is an HTTP request, whatever its method. */
const HTTP_VERSION = / HTTP\/\d+(\.\d+)?$/;

/** Serves one dialect. Replies keep the order of the commands: a command waits until the reply before it is sent. */
export class LineCommands implements ProtocolService<LockServerSession> {
  readonly #options: LineCommandsOptions;
  readonly #texts: LineTexts;
  readonly #commands: ReadonlyMap<string, Command>;

  constructor(options: LineCommandsOptions) {
    this.#options = options;
    const dialect = DIALECTS[options.dialect];
    this.#texts = dialect.texts;
    const all: Readonly<Record<string, Handler>> = {
      g: this.#get,
      r: this.#release,
      i: (_session, { name }) => this.#inspect(name),
      sg: (session, { name }) => this.#getShared(session, name),
      sr: (session, { name }) => this.#releaseShared(session, name),
      si: (_session, { name }) => this.#inspectShared(name),
      d: (session, line) => this.#list(session, 'readerWriter', line),
      sd: (session, line) => this.#list(session, 'permit', line),
      dump: (session, { name }) => this.#dump(session, name),
      q: (session, { name }) => this.#query(session, name),
      me: (session) => reply(`1 ${session.address} ${session.clientName || session.address}`),
      iam: (session, { name }) => this.#identify(session, name),
      who: (session, line) => this.#who(session, line),
    };
    this.#commands = new Map(
      dialect.commands.map((word) => [
        word,
        { handler: all[word] as Handler, counter: options.statistics.counterOf(word) },
      ]),
    );
  }

  makeCodec(): LineCodec {
    return new LineCodec(this.#options.limits.maxMessageBytes);
  }

  serve(session: LockServerSession, message: unknown): PendingResult | undefined {
    const line = message as CommandLine;
    if (session.isFirstLine) {
      session.isFirstLine = line.word === '';
      if (HTTP_VERSION.test(` ${line.name}`)) {
        this.#options.onRefused(session, HTTP_REQUEST);
        session.connection.destroy();
        return undefined;
      }
    }
    const command = this.#commands.get(line.word);
    const counter = command?.counter ?? this.#options.statistics.invalid;
    counter.count += 1;
    const answer = command?.handler(session, line);
    if (answer instanceof PendingResult) return sendLater(session, answer);
    send(session, answer ?? NO_REPLY);
    return undefined;
  }

  refuse(session: LockServerSession, error: RequestError | ProtocolError): void {
    session.connection.send(reply(`0 ${error.message}`));
  }

  readonly #get: Handler = (session, { name }) => {
    if (this.#isTooLong(session, name)) return this.#texts.getFailure(name);
    const result = session.locks.acquire({ name, mode: 'exclusive', tag: '', waitMs: 0 });
    if (result instanceof PendingResult) return mapResult(result, (lock) => this.#tellGet(session, name, lock));
    return this.#tellGet(session, name, result);
  };

  #tellGet(session: LockServerSession, name: string, lock: LockResult): LineReply {
    const isGranted = lock.status === 'ok' && (lock.alreadyHeld === undefined || this.#texts.getsAgain);
    if (isGranted) return this.#texts.getSuccess(name);
    this.#report(session, lock);
    return this.#texts.getFailure(name);
  }

  #isTooLong(session: LockServerSession, name: string): boolean {
    const { limits, onRefused } = this.#options;
    // A UTF-16 unit takes at most three bytes, so short names need not be measured.
    if (name.length * 3 <= limits.maxNameBytes || encodedLength(name) <= limits.maxNameBytes) return false;
    onRefused(session, atLimit('maxNameBytes', limits.maxNameBytes));
    return true;
  }

  /** Reports a lock that the server itself refused, because it drains or a limit was reached. */
  #report(session: LockServerSession, lock: LockResult): void {
    const cause = causeOf(lock);
    if (cause !== undefined) this.#options.onRefused(session, cause);
  }

  readonly #release: Handler = (session, { name }) => {
    const result = session.locks.release({ name });
    if (result instanceof PendingResult) return mapResult(result, (released) => this.#tellRelease(name, released));
    return this.#tellRelease(name, result);
  };

  #tellRelease(name: string, { status }: ReleaseResult): LineReply {
    return status === 'ok' ? this.#texts.releaseSuccess(name) : this.#texts.releaseFailure(name);
  }

  #inspect(name: string): Answer {
    return this.#countHolders('readerWriter', name, (count) =>
      count > 0 ? this.#texts.isLocked(name) : this.#texts.notLocked(name),
    );
  }

  #getShared(session: LockServerSession, name: string): Answer {
    if (this.#isTooLong(session, name)) return this.#texts.sharedGetFailure(name);
    const result = session.locks.acquire({ name, mode: 'permit', tag: '', waitMs: 0 });
    return mapResult(result, (permit) => {
      if (permit.status === 'ok') return this.#texts.sharedGetSuccess(name, permit.count);
      this.#report(session, permit);
      return this.#texts.sharedGetFailure(name);
    });
  }

  #releaseShared(session: LockServerSession, name: string): Answer {
    return mapResult(session.locks.release({ name, mode: 'permit' }), ({ status }) =>
      status === 'ok' ? this.#texts.sharedReleaseSuccess(name) : this.#texts.sharedReleaseFailure(name),
    );
  }

  #inspectShared(name: string): Answer {
    return this.#countHolders('permit', name, (count) =>
      count > 0 ? this.#texts.sharedIsLocked(name, count) : this.#texts.sharedNotLocked(name),
    );
  }

  #countHolders(kind: LockKind, name: string, describe: (count: number) => LineReply): Answer {
    return mapResult(this.#options.manager.inspect(name, 0, kind), ({ holderCount }) => describe(holderCount));
  }

  #list(session: LockServerSession, kind: LockKind, { name, hasName }: CommandLine): Answer {
    if (!this.#options.isDumpOn) return DISABLED;
    const { listings } = this.#options;
    return listings.holders(session, kind, hasName ? name : undefined);
  }

  #dump(session: LockServerSession, name: string): Answer {
    if (!this.#options.isDumpOn) return DISABLED;
    return this.#options.listings.dump(session, name === 'shared' ? 'permit' : 'readerWriter');
  }

  #query(session: LockServerSession, name: string): Answer {
    const { manager, statistics, listings, isDumpOn } = this.#options;
    const described = mapResult(manager.statistics(), (locks) => ({ text: statistics.describe(locks) }));
    if (name !== 'full' || !isDumpOn) return mapResult(described, (answer): LineReply => answer);
    const full = new PendingResult<LineReply>();
    mapResult(described, ({ text }) => {
      listings.allHoldersBehind(session, text).whenSettled((last) => full.settle(last));
      return full;
    });
    return full;
  }

  #identify(session: LockServerSession, name: string): Answer {
    const { isRegistryOn, limits, registry, onRefused } = this.#options;
    if (!isRegistryOn) return DISABLED;
    if (encodedLength(name) > limits.maxClientNameBytes) {
      onRefused(session, atLimit('maxClientNameBytes', limits.maxClientNameBytes));
      return reply('0 name too long');
    }
    registry.register(session, name);
    return reply('1 ok');
  }

  #who(session: LockServerSession, { name, hasName }: CommandLine): Answer {
    if (!this.#options.isDumpOn || !this.#options.isRegistryOn) return DISABLED;
    return this.#options.listings.who(session, hasName ? name : undefined);
  }
}

/**
 * Sends a reply. An empty one is sent only to end a reply in pieces, or as an empty frame: a client that reads frames
 * waits for one.
 */
function send({ connection }: LockServerSession, reply: LineReply): void {
  if (connection.isFramed || reply.text !== '' || reply.isLastPiece) connection.send(reply);
}

function sendLater(session: LockServerSession, answer: PendingResult<LineReply>): PendingResult {
  const sent = new PendingResult();
  answer.whenSettled((reply) => {
    send(session, reply);
    sent.settle(reply);
  });
  return sent;
}
