/** Sessions that outlive their connections: who may resume one, and when it is over. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { startTimeout } from '../message/timeout.ts';

const ID_BYTES = 12;
const SECRET_BYTES = 24;

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

/** A client's session, which lasts until it ends, or until nobody resumed it in time. */
export class KeptSession<Client> {
  readonly id: string = randomBytes(ID_BYTES).toString('base64url');
  readonly timeoutMs: number;
  /** The connection that speaks for the session, or did last. */
  client: Client;
  /** Only a hash of the secret is kept. */
  readonly secretHash: Uint8Array;
  state: 'attached' | 'suspended' | 'ended' = 'attached';
  /** When the session ends, as long as it is suspended. */
  untilMs: number | undefined;
  stopTimeout: (() => void) | undefined;

  constructor(client: Client, timeoutMs: number, secret: string) {
    this.client = client;
    this.timeoutMs = timeoutMs;
    this.secretHash = hashOf(secret);
  }
}

/** The sessions of one server. */
export class KeptSessions<Client> {
  readonly #limits: SessionLimits;
  readonly #nowMs: () => number;
  readonly #expired: (session: KeptSession<Client>) => void;
  readonly #sessions = new Map<string, KeptSession<Client>>();
  suspendedCount = 0;
  /** Since the start. */
  resumedCount = 0;
  expiredCount = 0;

  /** Calls `expired` with each session that nobody resumed in time. */
  constructor(limits: SessionLimits, nowMs: () => number, expired: (session: KeptSession<Client>) => void) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#expired = expired;
  }

  /** A new session, with a time-out as near as possible to the one that the client asks for. The secret is told once. */
  open(client: Client, askedMs: number): { readonly session: KeptSession<Client>; readonly secret: string } {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#limits;
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const timeoutMs = Math.min(Math.max(askedMs, minSessionTimeoutMs), maxSessionTimeoutMs);
    const session = new KeptSession(client, timeoutMs, secret);
    this.#sessions.set(session.id, session);
    return { session, secret };
  }

  /** The session with that id, if the secret is right. */
  find({ id, secret }: SessionKey): KeptSession<Client> | undefined {
    const session = this.#sessions.get(id);
    return session !== undefined && timingSafeEqual(session.secretHash, hashOf(secret)) ? session : undefined;
  }

  /** From now on the session is spoken for by that client. Returns the one before. */
  attach(session: KeptSession<Client>, client: Client): Client {
    const before = session.client;
    this.#leaveSuspension(session);
    session.state = 'attached';
    session.client = client;
    this.resumedCount += 1;
    return before;
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

  /** Forgets a session. */
  end(session: KeptSession<Client>): void {
    this.#leaveSuspension(session);
    session.state = 'ended';
    this.#sessions.delete(session.id);
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

  #expire(session: KeptSession<Client>, untilMs: number): void {
    // It may have been resumed, and even suspended again.
    if (session.untilMs !== untilMs) return;
    this.expiredCount += 1;
    this.end(session);
    this.#expired(session);
  }

  #leaveSuspension(session: KeptSession<Client>): void {
    if (session.state !== 'suspended') return;
    this.suspendedCount -= 1;
    session.untilMs = undefined;
    session.stopTimeout?.();
  }
}

function hashOf(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest();
}
