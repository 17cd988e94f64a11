/** Sessions that outlive their connections: who may resume one, and when it is over. */

import { Buffer } from 'node:buffer';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { EarlierSession, SessionList } from '../ledger/ledger.ts';
import { startTimeout } from '../message/timeout.ts';
import type { LostToken } from '../protocol.ts';
import { LossReasons } from './loss-reasons.ts';

const ID_BYTES = 12;
const SECRET_BYTES = 24;
const NONE: ReadonlySet<string> = new Set();

/** What sessions may take. All times are milliseconds. */
export interface SessionLimits {
  /** The shortest and the longest time that a client may ask for, to come back within. */
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  /** How many sessions may be without a connection at once. At the limit, a session ends with its connection. */
  readonly maxSuspendedSessions: number;
}

/** What a client needs to resume its session. */
export interface SessionKey {
  readonly id: string;
  readonly secret: string;
}

/**
 * A client's session, which lasts until it ends, or until nobody resumed it in time. `awaited`: an earlier run of the server had it, and
 * its client must tell what it holds. `reclaiming`: the client is back, and has not told all that it holds. `anchored`: the connection
 * has ended, and an anchor keeps the session.
 */
export class KeptSession<Client> {
  readonly id: string;
  readonly timeoutMs: number;
  /** The connection that speaks for the session, or did last; undefined until it is back from an earlier run. */
  client: Client | undefined;
  /** Only a hash of the secret is kept, as text. */
  readonly secretHash: string;
  /** The greatest number that its client gave a resume. */
  lastAttempt = 0;
  state: 'attached' | 'suspended' | 'awaited' | 'reclaiming' | 'anchored' | 'ended';
  /** Connections that keep the session when the one that speaks for it has ended. */
  anchorCount = 0;
  /** Anchored: when the client was last heard; undefined if it has left, and so does not come back. */
  lastHeardMs: number | undefined;
  /** Whether the next run of the server will know the session; a promise while that is being written. */
  recorded: boolean | Promise<void>;
  /** When the session ends, as long as it is suspended. */
  untilMs: number | undefined;
  stopTimeout: (() => void) | undefined;
  readonly losses: LossReasons = new LossReasons();
  /** As texts: a client may have chosen its tokens, and the engine hashes numbers without a seed. */
  readonly #lostBefore: ReadonlySet<string>;

  constructor({ id, secretHash, timeoutMs, losses = [] }: EarlierSession, client: Client | undefined) {
    this.losses.add(losses as readonly LostToken[]);
    this.#lostBefore = losses.length === 0 ? NONE : new Set(losses.map(({ token }) => String(token)));
    this.id = id;
    this.secretHash = secretHash;
    this.timeoutMs = timeoutMs;
    this.client = client;
    this.state = client === undefined ? 'awaited' : 'attached';
    this.recorded = client === undefined;
  }

  /** L3: whether it had lost the hold with this token in an earlier run. */
  hadLost(token: number): boolean {
    return this.#lostBefore.has(String(token));
  }
}

/** Who is told what becomes of sessions. */
export interface KeptSessionsEvents<Client> {
  /** Nobody resumed the session in time. Its end is on record. */
  expired(session: KeptSession<Client>): void;
  /** All sessions of the run before are back or over. */
  graceOver(): void;
}

/** The sessions of one server. */
export class KeptSessions<Client> {
  readonly #limits: SessionLimits;
  readonly #nowMs: () => number;
  readonly #list: SessionList;
  readonly #events: KeptSessionsEvents<Client>;
  readonly #sessions = new Map<string, KeptSession<Client>>();
  suspendedCount = 0;
  /** Sessions of the run before that are not back with all that they hold. */
  awaitedCount = 0;
  /** Since the start. */
  resumedCount = 0;
  expiredCount = 0;

  /** The sessions of the run before are awaited from now on, each for its own time-out and what the list adds (C2). */
  constructor(limits: SessionLimits, list: SessionList, nowMs: () => number, events: KeptSessionsEvents<Client>) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#list = list;
    this.#events = events;
    for (const record of list.atStart) this.#await(new KeptSession<Client>(record, undefined));
  }

  /** A new session, with a time-out as near as possible to the one that the client asks for. The secret is told once. */
  open(client: Client, askedMs: number): { readonly session: KeptSession<Client>; readonly secret: string } {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#limits;
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const timeoutMs = Math.min(Math.max(askedMs, minSessionTimeoutMs), maxSessionTimeoutMs);
    const id = randomBytes(ID_BYTES).toString('base64url');
    const session = new KeptSession({ id, secretHash: hashOf(secret), timeoutMs }, client);
    this.#sessions.set(session.id, session);
    return { session, secret };
  }

  /** The session with that id, if the secret is right. */
  find({ id, secret }: SessionKey): KeptSession<Client> | undefined {
    const session = this.#sessions.get(id);
    const isRight = session !== undefined && timingSafeEqual(bytesOf(session.secretHash), bytesOf(hashOf(secret)));
    return isRight ? session : undefined;
  }

  get(id: string): KeptSession<Client> | undefined {
    return this.#sessions.get(id);
  }

  [Symbol.iterator](): Iterator<KeptSession<Client>> {
    return this.#sessions.values();
  }

  /** The sessions of the run before have all that they had, after a planned stop: they are merely suspended, until the same time. */
  suspendAwaited(): void {
    for (const session of this.#sessions.values()) {
      if (session.state !== 'awaited') continue;
      session.state = 'suspended';
      this.suspendedCount += 1;
      this.#cameBack();
    }
  }

  /** Has the next run of the server know the session (L2). What it is granted may be confirmed once this resolves, or at once. */
  record(session: KeptSession<Client>): Promise<void> | undefined {
    if (session.recorded === true) return undefined;
    if (session.recorded !== false) return session.recorded;
    const { id, secretHash, timeoutMs } = session;
    const recorded = this.#list.add({ id, secretHash, timeoutMs });
    session.recorded = recorded ?? true;
    recorded?.then(
      () => {
        session.recorded = true;
      },
      () => {
        session.recorded = false;
      },
    );
    return recorded;
  }

  /** From now on the session is spoken for by that client. */
  attach(session: KeptSession<Client>, client: Client): void {
    const isBack = session.state === 'awaited';
    if (!isBack) this.#leaveSuspension(session);
    session.state = isBack ? 'reclaiming' : 'attached';
    session.client = client;
    this.resumedCount += 1;
  }

  /** The client of a session of the run before has told all that it holds. */
  completeReclaim(session: KeptSession<Client>): void {
    session.state = 'attached';
    session.stopTimeout?.();
    session.untilMs = undefined;
    this.#cameBack();
  }

  /** The client has gone before it told all: what it told does not count, and it may come again. */
  awaitAgain(session: KeptSession<Client>): void {
    session.state = 'awaited';
    session.client = undefined;
  }

  /** The connection is lost, and the session waits for the next one. False when too many wait already. */
  suspend(session: KeptSession<Client>, lastHeardMs: number): boolean {
    if (this.suspendedCount >= this.#limits.maxSuspendedSessions) return false;
    session.state = 'suspended';
    session.untilMs = lastHeardMs + session.timeoutMs;
    this.suspendedCount += 1;
    const { untilMs } = session;
    session.stopTimeout = startTimeout(Math.max(0, untilMs - this.#nowMs()), () => this.#readFirst(session, untilMs));
    return true;
  }

  /** The connection has ended. False when no anchor keeps the session. As long as one does, no timer runs. */
  leaveToAnchors(session: KeptSession<Client>, lastHeardMs: number | undefined): boolean {
    if (session.anchorCount === 0) return false;
    session.state = 'anchored';
    session.lastHeardMs = lastHeardMs;
    return true;
  }

  /** An anchor has ended. Returns whether that was the last that kept the session. */
  loseAnchor(session: KeptSession<Client>): boolean {
    session.anchorCount -= 1;
    return session.anchorCount === 0 && session.state === 'anchored';
  }

  /** Forgets a session. Resolves once that is on record; undefined if nothing need be. */
  end(session: KeptSession<Client>): Promise<void> | undefined {
    const { state } = session;
    this.#leaveSuspension(session);
    session.state = 'ended';
    // Its time may be over in this very turn, and what it held would end twice.
    session.untilMs = undefined;
    this.#sessions.delete(session.id);
    const recorded = this.#list.end(session.id);
    if (state === 'awaited' || state === 'reclaiming') {
      session.stopTimeout?.();
      if (recorded === undefined) this.#cameBack();
      else void recorded.then(() => this.#cameBack());
    }
    return recorded;
  }

  /** Stops all timers. */
  close(): void {
    for (const session of this.#sessions.values()) session.stopTimeout?.();
  }

  /**
   * A server that was stopped for a while finds the time over when it wakes, although the client may have come back: so what
   * lies in the sockets is read first. One turn of the event loop accepts a connection and the next one reads it.
   */
  #readFirst(session: KeptSession<Client>, untilMs: number): void {
    setImmediate(() => setImmediate(() => setImmediate(() => this.#expire(session, untilMs))));
  }

  /** L3: others are granted what the session held only when its end is on record. */
  #expire(session: KeptSession<Client>, untilMs: number): void {
    // It may have been resumed, and even suspended again.
    if (session.untilMs !== untilMs) return;
    this.expiredCount += 1;
    const recorded = this.end(session);
    if (recorded === undefined) this.#events.expired(session);
    else void recorded.then(() => this.#events.expired(session));
  }

  #await(session: KeptSession<Client>): void {
    // C2: the leader before may have answered its client until its lease was over.
    const waitMs = session.timeoutMs + (this.#list.extraWaitMs ?? 0);
    const untilMs = this.#nowMs() + waitMs;
    session.untilMs = untilMs;
    session.stopTimeout = startTimeout(waitMs, () => this.#readFirst(session, untilMs));
    this.#sessions.set(session.id, session);
    this.awaitedCount += 1;
  }

  #cameBack(): void {
    this.awaitedCount -= 1;
    if (this.awaitedCount === 0) this.#events.graceOver();
  }

  #leaveSuspension(session: KeptSession<Client>): void {
    if (session.state !== 'suspended') return;
    this.suspendedCount -= 1;
    session.untilMs = undefined;
    session.stopTimeout?.();
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function bytesOf(hash: string): Uint8Array {
  return Buffer.from(hash, 'base64url');
}
