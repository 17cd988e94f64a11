/**
 * The life of a client's session: it goes on over the loss of a connection when the client asked for that, and what the client cannot be
 * sure of is lost in time. See docs/protocol.md, Sessions.
 */

import type { ByteStream } from '../message/byte-stream.ts';
import type { UnansweredCall } from '../message/call.ts';
import type { MessageClient, RpcResult } from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import type { Moment } from '../message/moment.ts';
import { pause } from '../message/timeout.ts';
import type { LostToken, SessionInformation } from '../protocol.ts';
import type { GivenUpCalls } from './given-up-calls.ts';
import type { Holds } from './holds.ts';
import { type LockLostCode, lossCode } from './lock-error.ts';
import type { Hold } from './lock-handle.ts';
import { SessionDeadline } from './session-deadline.ts';

const MS_A_SECOND = 1_000;
/** The time-out that a session has by default, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 20_000;
/** Connections that are left open until a later one was answered. Closing one sooner could end the session. */
const MAX_ABANDONED = 8;

/** The values in one message that a server takes which does not tell. */
const DEFAULT_MESSAGE_VALUES = 25_000;
/** What a greeting takes of a message without its lists, and for each hold and request. */
const VALUES_OF_GREETING = 20;
const BYTES_OF_GREETING = 1_000;
const BYTES_OF_NUMBER = 17;
const OF_REQUEST = { values: 1, bytes: BYTES_OF_NUMBER } as const;
const OF_REQUEST_FOR_SEVERAL = { values: 3, bytes: 40 } as const;

/** What a further connection needs to keep a session: see docs/protocol.md, Anchors. */
export interface SessionKey {
  readonly id: string;
  /** Lets its owner speak for the session. */
  readonly secret: string;
  /** Milliseconds that the server waits for the client once it has not heard of it. */
  readonly timeoutMs: number;
}

/** What a session consists of. */
interface SessionLifeOptions {
  readonly client: MessageClient;
  readonly holds: Holds;
  readonly givenUp: GivenUpCalls;
  /** Whether the session outlives a connection; if not, a lost connection is a lost hold (S7). */
  readonly isKept: boolean;
  /** Milliseconds within which the client must come back; 20,000 by default. */
  readonly timeoutMs: number | undefined;
  /** Called when no answer came in time, and all holds were given up. */
  readonly over: () => void;
}

/** Suspends, resumes and ends a session. */
export class SessionLife {
  readonly deadline: SessionDeadline;
  /** The time-out that the server told last, in milliseconds; until then the one that the client asks for. */
  timeoutMs: number;
  readonly #askedTimeoutMs: number;
  readonly #client: MessageClient;
  readonly #holds: Holds;
  readonly #givenUp: GivenUpCalls;
  readonly #isKept: boolean;
  /** What the server told of a session that outlives its connection. */
  #key: { readonly id: string; readonly secret: string } | undefined;
  /** S1: by this number the server tells a resume that was given up and comes late. */
  #attempts = 0;
  /** Whether the locks of the server outlive its process. */
  #isDurable = false;
  /** What the server told of its own. */
  #limits: Limits = {};
  /** Connections that were left open. */
  readonly #abandoned: ByteStream[] = [];
  /** The requests and the holds that the server was told last. It has them once it answers. */
  #listed: Listed = { requests: new Set(), holds: [] };
  /** As long as it is not known whether the session goes on. */
  #suspension: Suspension | undefined;

  constructor({ client, holds, givenUp, isKept, timeoutMs = DEFAULT_TIMEOUT_MS, over }: SessionLifeOptions) {
    this.#client = client;
    this.#holds = holds;
    this.#givenUp = givenUp;
    this.#isKept = isKept;
    this.timeoutMs = timeoutMs;
    this.#askedTimeoutMs = timeoutMs;
    this.deadline = new SessionDeadline({
      isNeeded: () => holds.size > 0 || client.hasUnanswered,
      ping: () => void this.#ping(),
      silent: () => this.leave(silence()),
      over: () => {
        this.loseHolds('unconfirmed');
        over();
      },
    });
  }

  /** Undefined before the first connection, and without a session that outlives its connection. */
  get key(): SessionKey | undefined {
    return this.#key && { ...this.#key, timeoutMs: this.timeoutMs };
  }

  /** What the server is told of the session: when it is resumed, everything that the client still has (S3). */
  listed(): object | undefined {
    if (!this.#isKept) return undefined;
    const timeout = this.#askedTimeoutMs / MS_A_SECOND;
    if (this.#key === undefined) return { timeout };
    const requests = this.#listable();
    const holds = this.#holds.wanted();
    this.#attempts += 1;
    this.#listed = { requests: new Set(requests.map(({ id }) => id)), holds };
    return {
      ...this.#key,
      timeout,
      attempt: this.#attempts,
      holds: holds.map(({ token }) => token),
      requests: requests.map(({ id, call: { parameters } }) =>
        'locks' in parameters ? { id, locks: (parameters.locks as readonly unknown[]).length } : id,
      ),
    };
  }

  /** The requests that wait, as many of the first as the server takes; the others are made again. */
  #listable(): readonly UnansweredCall[] {
    const { maxPendingRequests, maxMessageValues = DEFAULT_MESSAGE_VALUES } = this.#limits;
    const { maxMessageBytes = Number.POSITIVE_INFINITY } = this.#limits;
    let values = maxMessageValues - VALUES_OF_GREETING - this.#holds.size;
    let bytes = maxMessageBytes - BYTES_OF_GREETING - this.#holds.size * BYTES_OF_NUMBER;
    const requests = this.#client.unanswered().filter(isWanted).slice(0, maxPendingRequests);
    return requests.filter(({ call: { parameters } }) => {
      const request = 'locks' in parameters ? OF_REQUEST_FOR_SEVERAL : OF_REQUEST;
      values -= request.values;
      bytes -= request.bytes;
      return values >= 0 && bytes >= 0;
    });
  }

  /** Goes on as the server says in its answer to `hello`. Returns whether the session is the same as before. */
  begin(greeting: RpcResult, sent: Moment): boolean {
    const { durable, clustered, limits = {} } = greeting;
    const told = greeting.session as SessionInformation | undefined;
    this.#isDurable = durable === true;
    this.#limits = limits as Limits;
    const isResumed = told?.state === 'resumed' || told?.state === 'reclaim';
    if (told?.secret !== undefined) this.#key = { id: told.id, secret: told.secret };
    if (told?.state === 'resumed') this.#takeUp(told);
    else this.#listed.requests.clear();
    if (!isResumed) this.loseHolds('connectionLost');
    this.#failUnlisted();
    if (isResumed) this.#unlockUnwanted();
    this.timeoutMs = told === undefined ? this.#askedTimeoutMs : told.timeout * MS_A_SECOND;
    // Before the deadline begins, which may ask at once.
    this.#endSuspension(isResumed ? 'resumed' : 'over');
    this.deadline.begin(this.timeoutMs, sent, clustered === true);
    for (const stream of this.#abandoned.splice(0)) closeQuietly(stream);
    return isResumed;
  }

  #takeUp({ lost = [], answers = [], unknown = [] }: SessionInformation): void {
    for (const { token, reason } of lost) this.#holds.lose(token, lossCode(reason));
    for (const { id, result } of answers) this.#client.settle(id as number, { ...result });
    for (const id of unknown) this.#listed.requests.delete(id as number);
  }

  /** Frees what the server was told and nobody holds any more: until now it could not know. */
  #unlockUnwanted(): void {
    for (const hold of this.#listed.holds) if (!hold.isWanted) this.#client.notify('unlock', { token: hold.token });
  }

  /**
   * Tells a server that has restarted what the client holds, by parts that go out at once. A client that cannot be sure of its locks reclaims none (S6).
   * Rejects as `MessageClient.rpc` does.
   */
  async reclaim({ limits = {} }: RpcResult, endMs: number): Promise<void> {
    this.#limits = limits as Limits;
    if (!this.deadline.isConfirmed) this.loseHolds('unconfirmed');
    const holds = this.#holds.wanted();
    this.#listed.holds = holds;
    const parts = toParts(holds, this.#limits);
    const timeoutMs = Math.max(0, endMs - performance.now());
    const answers = parts.map((part, index) => {
      const parameters = { holds: part.map(toReclaimed), last: index === parts.length - 1 };
      return this.ask('reclaim', parameters, timeoutMs);
    });
    for (const { status, lost } of await Promise.all(answers)) {
      if (status !== 'ok') throw new MessageError('connectionLost', 'the server did not take what the client held');
      for (const { token, reason } of lost as readonly LostToken[]) this.#holds.lose(token, lossCode(reason));
    }
  }

  /** The server has not got the others that wait. They reject, and the acquirers make them again, in their order. */
  #failUnlisted(): void {
    for (const { id, call } of this.#client.unanswered()) {
      if (call.keptUntilMs !== undefined && !this.#listed.requests.has(id)) this.#client.fail(id);
    }
    this.#givenUp.leftGrants.clear();
  }

  /**
   * The connection is lost. Returns whether the session has something to keep. If not, its id is still sent on the next connection.
   */
  suspend(): boolean {
    const isInUse = this.#holds.size > 0 || this.#client.hasUnanswered;
    if (this.#key !== undefined && isInUse) {
      this.#suspension ??= { end: new AbortController(), outcome: undefined };
      return true;
    }
    this.loseHolds('connectionLost');
    return false;
  }

  /** The server has ended the session. */
  end(): void {
    this.#key = undefined;
    this.#listed.requests.clear();
    this.loseHolds('connectionLost');
    this.#failUnlisted();
  }

  /** Nobody listens at the server's place. Returns whether the session has ended with its process. */
  endWithServer(): boolean {
    if (this.#isDurable) return false;
    this.loseHolds('connectionLost');
    return true;
  }

  /** Whether it is not known yet that the session goes on. Until then nothing is sent that concerns its holds. */
  get isSuspended(): boolean {
    return this.#suspension !== undefined;
  }

  /** How the time without a connection ended; undefined when there is a connection, or nobody knows within `timeoutMs`. */
  async outcome(timeoutMs: number): Promise<Outcome | undefined> {
    const suspension = this.#suspension;
    if (suspension === undefined) return undefined;
    await pause(timeoutMs, suspension.end.signal);
    return suspension.outcome ?? 'over';
  }

  /** Everything is lost: the client closes. A proxy could close the connection as well, so the client says that it leaves. */
  close(): void {
    if (this.#key !== undefined) this.#client.notify('bye');
    this.#key = undefined;
    this.loseHolds('closed');
    this.deadline.stop();
    for (const stream of this.#abandoned.splice(0)) stream.destroy();
  }

  /** The server frees them, or has done so. */
  loseHolds(code: LockLostCode): void {
    this.#holds.loseAll(code);
    this.#givenUp.clear();
    this.#endSuspension('over');
    this.deadline.end();
  }

  /** Goes on without this connection. */
  leave(reason: Error): void {
    if (!this.abandons(reason)) this.#client.drop(reason);
  }

  /** Leaves this connection open as long as its end might end the session (S2). Returns false when there is no session to keep. */
  abandons(reason: Error | undefined): boolean {
    if (this.#key === undefined) return false;
    const stream = this.#client.abandon(reason);
    if (stream !== undefined) this.#abandoned.push(stream);
    // The first is the one that the server knows; on the others it may have answered nothing.
    for (const each of this.#abandoned.splice(1, this.#abandoned.length - MAX_ABANDONED)) closeQuietly(each);
    return true;
  }

  /** Sends what keeps the session, however many calls are in flight. Rejects as `MessageClient.rpc` does. */
  ask(command: string, parameters: object, timeoutMs: number): Promise<RpcResult> {
    return this.#client.call({ command, parameters, timeoutMs, convert: (result) => result, isExempt: true });
  }

  /** What a ping and a `hello` ask of a server that may not lead any more (C3). */
  get confirming(): object {
    return this.deadline.isClustered ? { confirm: true } : {};
  }

  async #ping(): Promise<void> {
    if (this.#client.state !== 'open' || this.isSuspended) return;
    try {
      await this.ask('ping', this.confirming, this.timeoutMs);
    } catch {
      // The deadline counts.
    }
  }

  #endSuspension(outcome: Outcome): void {
    const suspension = this.#suspension;
    if (suspension === undefined) return;
    this.#suspension = undefined;
    suspension.outcome = outcome;
    suspension.end.abort();
  }
}

/** Closes a connection by a reset if it can: the server takes any other end for that of the client. */
function closeQuietly(stream: ByteStream): void {
  (stream.reset ?? stream.destroy).call(stream);
}

/** Why a client leaves a connection by itself. */
export function silence(): MessageError {
  return new MessageError('connectionLost', 'the server does not answer');
}

/** The limits of a server that matter to a greeting. */
interface Limits {
  readonly maxMessageBytes?: number;
  readonly maxPendingRequests?: number;
  readonly maxMessageValues?: number;
}

/** What a server is told of a session. */
interface Listed {
  readonly requests: Set<number>;
  holds: readonly Hold[];
}

/** How the time without a connection ended: the session goes on, or what it held is lost. */
type Outcome = 'resumed' | 'over';

interface Suspension {
  /** Aborts when it is known. */
  readonly end: AbortController;
  outcome: Outcome | undefined;
}

/** One message tells so many holds at most, and about so many characters; one with a longer name goes alone. */
const HOLDS_A_PART = 500;
const CHARACTERS_A_PART = 200_000;
/** What a hold, the rest of a reclaim and a character take of a message at most. */
const VALUES_OF_HOLD = 7;
const VALUES_OF_RECLAIM = 7;
const CHARACTERS_OF_HOLD = 20;
const BYTES_OF_CHARACTER = 6;

/** At least one part, which may be empty. */
function toParts(holds: readonly Hold[], limits: Limits): readonly (readonly Hold[])[] {
  const { maxMessageValues = DEFAULT_MESSAGE_VALUES, maxMessageBytes = Number.POSITIVE_INFINITY } = limits;
  const mostHolds = Math.min(HOLDS_A_PART, Math.floor((maxMessageValues - VALUES_OF_RECLAIM) / VALUES_OF_HOLD));
  const mostCharacters = Math.min(CHARACTERS_A_PART, maxMessageBytes / BYTES_OF_CHARACTER);
  const parts: Hold[][] = [[]];
  let characters = 0;
  for (const hold of holds) {
    let part = parts.at(-1) as Hold[];
    const length = hold.name.length + hold.owner.length + CHARACTERS_OF_HOLD;
    const isFull = part.length >= mostHolds || characters + length > mostCharacters;
    if (isFull && part.length > 0) {
      part = [];
      parts.push(part);
      characters = 0;
    }
    part.push(hold);
    characters += length;
  }
  return parts;
}

function toReclaimed({ name, mode, owner, token, leaseMs, isStealable }: Hold): object {
  return {
    lockName: name,
    mode,
    owner,
    token,
    lease: leaseMs && leaseMs / MS_A_SECOND,
    stealable: isStealable || undefined,
  };
}

function isWanted({ call, isGivenUp }: UnansweredCall): boolean {
  return call.keptUntilMs !== undefined && !isGivenUp;
}
