/** A lock table and the naive one, taken through the same steps and made comparable. */

import type { LockSession } from '../../lib/locks/lock-session.ts';
import { LockTable } from '../../lib/locks/lock-table.ts';
import type { LockMode, ReleaseRequest, RequestId, TableEvent, TableLimits } from '../../lib/locks/types.ts';
import { NaiveLockTable, nameOf, type Request } from './naive-lock-table.ts';
import type { NaiveEvent, NaivePage, NaiveView } from './naive-types.ts';
import { type AcquireStep, lastNameFirst, type Step } from './table-steps.ts';

type Session = LockSession<number, number>;

const MAX_SESSIONS = 4;

/**
 * What a step came to. Sessions are numbers; a token goes by the context of the request that it was granted to, so
 * that it means the same on both sides.
 */
export interface Report<Result = unknown> {
  readonly result: Result;
  readonly events: readonly NaiveEvent[];
}

export interface Both<Result = unknown> {
  readonly real: Report<Result>;
  readonly naive: Report<Result>;
}

/** A request that was queued and that the lock table has not answered yet. */
export interface Waiting {
  readonly session: number;
  readonly id: RequestId | undefined;
}

const NOTHING: Report = { result: undefined, events: [] };

export class TablePair {
  readonly real: LockTable<number, number>;
  readonly naive: NaiveLockTable;
  readonly waiting: Map<number, Waiting> = new Map();
  /** By context, the lock that a request was for. */
  readonly lockOf: Map<number, string> = new Map();
  nowMs = 0;
  #sessions: Session[] = [];
  readonly #realTokens: Tokens = new Tokens();
  readonly #naiveTokens: Tokens = new Tokens();
  /** Whether every request has an id of its own, whatever the steps say. */
  readonly #hasUniqueIds: boolean;
  #contextCount = 0;
  #sessionCount = 0;

  constructor(limits: TableLimits, hasUniqueIds: boolean) {
    let lastToken = 1000;
    const nextToken = () => {
      lastToken += 10;
      return lastToken;
    };
    this.real = new LockTable<number, number>({ limits, nextToken, compareNames: lastNameFirst });
    this.naive = new NaiveLockTable(limits, lastNameFirst);
    this.#hasUniqueIds = hasUniqueIds;
    for (let opened = 0; opened < 3; opened += 1) this.#openSession();
  }

  get liveSessions(): readonly number[] {
    return this.#sessions.map((session) => session.subject);
  }

  take(step: Step): Both {
    switch (step.step) {
      case 'acquire':
        return this.#acquire(step);
      case 'release':
        return this.#release(this.#session(step.session), { name: step.name, tag: step.tag }, undefined);
      case 'releaseClaim':
        return this.#releaseClaim(step);
      case 'releaseAll':
        return this.#releaseAll(this.#session(step.session), step.tag);
      case 'cancel':
        return this.#cancel(this.#session(step.session), step.id);
      case 'cancelWaiting':
        return this.#cancelWaiting(step.pick);
      case 'move':
        this.nowMs += step.byMs;
        return this.#events(this.real.expire(step.max, this.nowMs), this.naive.expire(step.max, this.nowMs));
      case 'endSession':
        return this.#endSession(this.#session(step.session), step.max);
      case 'openSession':
        this.#openSession();
        return { real: NOTHING, naive: NOTHING };
      case 'inspect':
        return this.inspect(step.name, step.max);
      case 'list':
        return this.list(step.prefix, step.after, step.max);
      case 'drain':
        return this.#events(this.real.drain(this.nowMs), this.naive.drain());
      case 'sweep':
        return this.#events(this.real.sweep(step.max, this.nowMs), []);
    }
  }

  inspect(name: string, max: number): Both<NaiveView> {
    const outcome = this.real.inspect(name, max, this.nowMs);
    const naive = this.naive.inspect(name, max);
    // The events come first: they may tell of tokens that the view shows.
    const events = this.#realEvents(outcome.events);
    const view = {
      ...outcome.result,
      holders: outcome.result.holders.map((holder) => {
        return { ...holder, session: holder.session.subject, token: this.#realTokens.contextOf(holder.token) };
      }),
      waiters: outcome.result.waiters.map((waiter) => ({ ...waiter, session: waiter.session.subject })),
    };
    const holders = naive.holders.map((holder) => {
      return { ...holder, token: this.#naiveTokens.contextOf(holder.token) };
    });
    return { real: { result: view, events }, naive: { result: { ...naive, holders }, events: [] } };
  }

  list(prefix: string, after: string | undefined, max: number): Both<NaivePage> {
    const scan = this.real.scan({ prefix, after, max });
    while (!scan.step(1));
    const result = { names: scan.names, hasMore: scan.hasMore };
    return {
      real: { result, events: [] },
      naive: { result: this.naive.list(prefix, after, max), events: [] },
    };
  }

  #openSession(): void {
    if (this.#sessions.length === MAX_SESSIONS) return;
    this.#sessionCount += 1;
    this.#sessions.push(this.real.openSession(this.#sessionCount));
    this.naive.openSession(this.#sessionCount);
  }

  #session(index: number): Session {
    if (this.#sessions.length === 0) this.#openSession();
    return this.#sessions[index % this.#sessions.length] as Session;
  }

  #acquire(step: AcquireStep): Both {
    const session = this.#session(step.session);
    this.#contextCount += 1;
    const context = this.#contextCount;
    const { name, mode, tag, waitMs, leaseMs } = step;
    const limit = mode === 'permit' ? step.limit : undefined;
    const id = this.#hasUniqueIds ? context : step.id;
    const request: Request = { name, mode, limit, tag, waitMs, leaseMs, id, context };
    this.lockOf.set(context, nameOf({ name, isPermit: mode === 'permit' }));
    const real = this.real.acquire(session, request, this.nowMs);
    if (real.result.status === 'queued') this.waiting.set(context, { session: session.subject, id });
    const naive = this.naive.acquire(session.subject, request, this.nowMs);
    const both = this.#events(real.events, naive.events);
    const realResult = withContext(real.result, this.#realTokens, context);
    const naiveResult = withContext(naive.result, this.#naiveTokens, context);
    return {
      real: { ...both.real, result: withoutMessage(realResult) },
      naive: { ...both.naive, result: withoutMessage(naiveResult) },
    };
  }

  /** The token is the naive table's; one that the lock table has not granted yet is left out. */
  #release(session: Session, request: ReleaseRequest, naiveToken: number | undefined): Both {
    const context = naiveToken === undefined ? undefined : this.#naiveTokens.contextOf(naiveToken);
    const realToken = context === undefined ? undefined : this.#realTokens.tokenOf(context);
    const hasToken = realToken !== undefined;
    const real = this.real.release(session, hasToken ? { ...request, token: realToken } : request, this.nowMs);
    const naiveRequest = hasToken ? { ...request, token: naiveToken } : request;
    const naive = this.naive.release(session.subject, naiveRequest, this.nowMs);
    return this.#outcomes(real, naive);
  }

  #releaseClaim(step: Extract<Step, { step: 'releaseClaim' }>): Both {
    const { holds, places } = this.naive;
    const claims = [...holds, ...places];
    const claim = claims[step.pick % claims.length];
    if (claim === undefined) return { real: NOTHING, naive: NOTHING };
    const other = claims[(step.pick + 1) % claims.length] as typeof claim;
    const meant = (key: typeof step.wrong) => (step.wrong === key ? other : claim);
    const request = {
      ...(step.keys.includes('name') ? { name: meant('name').name } : {}),
      ...(step.keys.includes('mode') ? { mode: modeOf(meant('mode')) } : {}),
      ...(step.keys.includes('tag') ? { tag: meant('tag').tag } : {}),
    };
    const withToken = meant('token');
    const token = step.keys.includes('token') && 'token' in withToken ? withToken.token : undefined;
    const session = this.#sessions.find((session) => session.subject === meant('session').session) as Session;
    return this.#release(session, request, token);
  }

  #releaseAll(session: Session, tag: string | undefined): Both {
    const real = this.real.releaseAll(session, tag, this.nowMs);
    this.naive.lockOrder = this.#locksLetIn(real.events);
    return this.#outcomes(real, this.naive.releaseAll(session.subject, tag, this.nowMs));
  }

  #cancel(session: Session, id: RequestId): Both {
    const real = this.real.cancel(session, id, this.nowMs);
    return this.#outcomes(real, this.naive.cancel(session.subject, id, this.nowMs));
  }

  #cancelWaiting(pick: number): Both {
    const cancellable = [...this.waiting.values()].filter((waiting) => waiting.id !== undefined);
    const waiting = cancellable[pick % cancellable.length];
    const session = this.#sessions.find((session) => session.subject === waiting?.session);
    if (session === undefined) return { real: NOTHING, naive: NOTHING };
    return this.#cancel(session, waiting?.id as RequestId);
  }

  #endSession(session: Session, max: number): Both {
    this.#sessions = this.#sessions.filter((other) => other !== session);
    const real = this.real.endSession(session, max, this.nowMs);
    this.naive.lockOrder = this.#locksLetIn(real);
    return this.#events(real, this.naive.endSession(session.subject, this.nowMs));
  }

  #locksLetIn(events: readonly TableEvent<number, number>[]): readonly string[] {
    return events.flatMap((event) => {
      const isGrant = event.kind === 'answered' && event.result.status === 'ok';
      return isGrant ? [this.lockOf.get(event.context) as string] : [];
    });
  }

  #outcomes(
    real: { result: unknown; events: readonly TableEvent<number, number>[] },
    naive: { result: unknown; events: readonly NaiveEvent[] },
  ): Both {
    const both = this.#events(real.events, naive.events);
    return { real: { ...both.real, result: real.result }, naive: { ...both.naive, result: naive.result } };
  }

  #events(real: readonly TableEvent<number, number>[], naive: readonly NaiveEvent[]): Both {
    return {
      real: { result: undefined, events: this.#realEvents(real) },
      naive: { result: undefined, events: naive.map((event) => eventWithContext(event, this.#naiveTokens)) },
    };
  }

  #realEvents(events: readonly TableEvent<number, number>[]): readonly NaiveEvent[] {
    return events.map((event) => {
      if (event.kind === 'answered' && !this.waiting.delete(event.context)) {
        throw new Error(`request ${event.context} was answered without having waited`);
      }
      return eventWithContext({ ...event, session: event.session.subject }, this.#realTokens);
    });
  }
}

/** Which contexts one table's tokens were granted to. */
class Tokens {
  readonly #contexts: Map<number, number> = new Map();
  readonly #tokens: Map<number, number> = new Map();
  #greatest = 0;

  /** @throws unless the token is greater than every one before. */
  learn(token: number, context: number): void {
    if (token <= this.#greatest) throw new Error(`token ${token} was granted after ${this.#greatest}`);
    this.#greatest = token;
    this.#contexts.set(token, context);
    this.#tokens.set(context, token);
  }

  /** @throws when the token was never granted. */
  contextOf(token: number): number {
    const context = this.#contexts.get(token);
    if (context === undefined) throw new Error(`token ${token} was never granted`);
    return context;
  }

  tokenOf(context: number): number | undefined {
    return this.#tokens.get(context);
  }
}

function withContext<Result extends { status: string; token?: number; alreadyHeld?: unknown }>(
  result: Result,
  tokens: Tokens,
  context: number,
): Result {
  if (result.token === undefined) return result;
  if (result.alreadyHeld !== true) tokens.learn(result.token, context);
  return { ...result, token: tokens.contextOf(result.token) };
}

/** What a message says is for people. */
function withoutMessage(result: { status: string }): { status: string } {
  return result.status === 'invalid' ? { status: result.status } : result;
}

function eventWithContext(event: NaiveEvent, tokens: Tokens): NaiveEvent {
  if (event.kind === 'lost') return { ...event, token: tokens.contextOf(event.token) };
  if (event.result.status === 'timeout') return { ...event, result: { status: 'timeout', holders: [] } };
  return { ...event, result: withContext<object & { status: string }>(event.result, tokens, event.context) as never };
}

function modeOf(claim: { mode: LockMode } | { requests: Request[] }): LockMode {
  return 'mode' in claim ? claim.mode : (claim.requests[0] as Request).mode;
}
