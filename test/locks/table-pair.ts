/** The lock table and the naive one, which take the same steps and give comparable reports. */

import { Departure } from '../../lib/locks/departure.ts';
import { LockTable } from '../../lib/locks/lock-table.ts';
import type {
  AcquireAllResult,
  AcquireResult,
  Outcome,
  ReleaseRequest,
  Rest,
  Session,
  TableEvent,
  TableLimits,
  TableOptions,
} from '../../lib/locks/types.ts';
import type { DeadlockStep, LockInformation, LockMode, RequestId } from '../../lib/protocol.ts';
import { bytesOfState } from './naive-bytes.ts';
import { findFault, type NaiveStep } from './naive-deadlock.ts';
import { NaiveLockTable } from './naive-lock-table.ts';
import { type AllRequest, type Hold, isSameOwner, modeOf, type Place, type Request } from './naive-state.ts';
import type { NaiveDeparture, NaiveEvent, NaiveEviction } from './naive-types.ts';
import { contextsOf, eventWithContext, isTaken, withoutMessage } from './table-events.ts';
import type { AcquireAllStep, AcquireStep, Step } from './table-steps.ts';
import { answerWithContext, Tokens } from './table-tokens.ts';

const MAX_SESSIONS = 4;

/**
 * The outcome of a step. Sessions are numbers, and a token is replaced by the context of the request that it was granted
 * to, so that both sides can be compared.
 */
interface Report<Result = unknown> {
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

/** What an operation has not finished, in the lock table and the naive one. */
type RestOfBoth =
  | { readonly work: Departure; readonly departure: NaiveDeparture; readonly session: Session }
  | { readonly work: Rest; readonly eviction: NaiveEviction };

const NOTHING: Report = { result: undefined, events: [] };

export class TablePair {
  readonly real: LockTable;
  readonly naive: NaiveLockTable;
  readonly waiting: Map<number, Waiting> = new Map();
  nowMs = 0;
  #sessions: Session[] = [];
  #unfinished: RestOfBoth[] = [];
  readonly #realTokens: Tokens = new Tokens();
  readonly #naiveTokens: Tokens = new Tokens();
  /** Whether deadlocks may be found later than they come about. */
  readonly #isSearchSliced: boolean;
  /** Whether requests may be answered later than others make room for them. */
  readonly #isLetInLater: boolean;
  #contextCount = 0;
  #sessionCount = 0;

  constructor(limits: TableLimits, slicing: Pick<TableOptions, 'searchStepsAtOnce' | 'answersAtOnce' | 'isBusy'> = {}) {
    let lastToken = 1000;
    const nextToken = () => {
      lastToken += 10;
      return lastToken;
    };
    this.#isSearchSliced = slicing.searchStepsAtOnce !== undefined;
    this.#isLetInLater = slicing.answersAtOnce !== undefined;
    this.real = new LockTable({
      limits,
      nextToken,
      answersAtOnce: Number.POSITIVE_INFINITY,
      ...slicing,
    });
    this.naive = new NaiveLockTable(limits);
    for (let opened = 0; opened < 3; opened += 1) this.#openSession();
  }

  get liveSessions(): readonly number[] {
    return this.#sessions.map(numberOf);
  }

  /** Whether an operation is unfinished. */
  get isUnfinished(): boolean {
    return this.#unfinished.length > 0;
  }

  take(step: Step): Both {
    switch (step.step) {
      case 'acquire':
        return this.#acquire(step);
      case 'acquireAll':
        return this.#acquireAll(step);
      case 'forceRelease':
        return this.#forceRelease(step.name, step.isPermit);
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
        return this.#eventsOf(this.real.expire(step.max, this.nowMs), () => this.naive.expire(step.max, this.nowMs));
      case 'endSession':
        return this.#endSession(this.#session(step.session), step.max);
      case 'openSession':
        this.#openSession();
        return { real: NOTHING, naive: NOTHING };
      case 'inspect':
        return this.inspect(step.name, step.max);
      case 'drain':
        return this.#eventsOf(inAnyOrder(this.real.drain()), () => inAnyOrder(this.naive.drain()));
      case 'goOn':
        return this.#goOn(step.pick, step.max);
      case 'catchUp':
        return this.#eventsOf(this.real.catchUp(step.max, this.nowMs), () => this.naive.catchUp(this.nowMs));
    }
  }

  inspect(name: string, max: number): Both<LockInformation> {
    const real = this.real.inspect(name, max, this.nowMs);
    const naive = this.naive.inspect(name, max, this.nowMs);
    return {
      real: { result: withContexts(real, this.#realTokens), events: [] },
      naive: { result: withContexts(naive, this.#naiveTokens), events: [] },
    };
  }

  /** How much memory each session counts, live ones first. */
  sessionBytes(): Both<readonly number[]> {
    const sessions = [...this.#sessions, ...this.#departing.filter(({ state }) => state === 'ended')];
    const naive = sessions.map((session) => bytesOfState(this.naive, numberOf(session)));
    return {
      real: { result: sessions.map(({ bytes }) => bytes), events: [] },
      naive: { result: naive, events: [] },
    };
  }

  list(): Both<readonly string[]> {
    const names = new Set<string>();
    const all = this.real.names();
    for (let entry = all.next(); entry.done !== true; entry = all.next()) names.add(entry.value);
    return { real: { result: [...names].toSorted(), events: [] }, naive: { result: this.naive.names(), events: [] } };
  }

  #openSession(max = MAX_SESSIONS): void {
    if (this.#sessions.length >= max) return;
    this.#sessionCount += 1;
    this.#sessions.push(this.real.openSession(clientOf(this.#sessionCount)));
    this.naive.openSession(this.#sessionCount);
  }

  /** Sessions that end, or are giving up all that they have. */
  get #departing(): readonly Session[] {
    return this.#unfinished.flatMap((rest) => ('session' in rest ? [rest.session] : []));
  }

  /** Those that may ask for something. */
  get #askingSessions(): readonly Session[] {
    const departing = this.#departing;
    return this.#sessions.filter((session) => !departing.includes(session));
  }

  #session(index: number): Session {
    if (this.#askingSessions.length === 0) this.#openSession(Number.POSITIVE_INFINITY);
    return this.#askingSessions[index % this.#askingSessions.length] as Session;
  }

  #acquire(step: AcquireStep): Both {
    const session = this.#session(step.session);
    this.#contextCount += 1;
    const context = this.#contextCount;
    const { name, mode, tag, waitMs, leaseMs, steal, isStealable, id } = step;
    const limit = mode === 'permit' ? step.limit : undefined;
    const request: Request = { name, mode, limit, tag, waitMs, leaseMs, steal, isStealable, id, context };
    const { result, events } = this.real.acquire(session, { ...request }, this.nowMs);
    const real = { result: result.status === 'stolen' ? result.granted : result, events };
    const both = this.#answers(context, session, id, real, () =>
      this.naive.acquire(numberOf(session), request, this.nowMs),
    );
    if (result.status === 'stolen') this.#keep({ work: result.rest, eviction: this.naive.lastEviction });
    return both;
  }

  #acquireAll(step: AcquireAllStep): Both {
    const session = this.#session(step.session);
    this.#contextCount += 1;
    const context = this.#contextCount;
    const { tag, waitMs, leaseMs, id } = step;
    const locks = step.locks.map((lock) => (lock.mode === 'permit' ? lock : { ...lock, limit: undefined }));
    const request: AllRequest = { locks, tag, waitMs, leaseMs, id, context };
    const real = this.real.acquireAll(session, request, this.nowMs);
    return this.#answers(context, session, id, real, () =>
      this.naive.acquireAll(numberOf(session), request, this.nowMs),
    );
  }

  /** Both tables' answers to a request for locks. */
  #answers(
    context: number,
    session: Session,
    id: RequestId | undefined,
    real: Outcome<AcquireResult | AcquireAllResult>,
    askNaive: () => { result: AcquireResult | AcquireAllResult; events: readonly NaiveEvent[] },
  ): Both {
    if (real.result.status === 'queued') this.waiting.set(context, { session: numberOf(session), id });
    const isRefused = real.result.status === 'deadlock';
    const naive = this.#askNaive(real.events, askNaive, isRefused ? [context] : []);
    const both = this.#events(real.events, naive.events);
    const realResult = answerWithContext(real.result, this.#realTokens, context);
    const naiveResult = answerWithContext(naive.result, this.#naiveTokens, context);
    if (real.result.status === 'deadlock') this.#expectRealCycle(real.result.cycle ?? []);
    return {
      real: { ...both.real, result: withoutMessage(realResult) },
      naive: { ...both.naive, result: withoutMessage(naiveResult) },
    };
  }

  #forceRelease(name: string, isPermit: boolean): Both {
    const { result: work, events } = this.real.forceRelease(name, isPermit ? 'permit' : 'readerWriter', this.nowMs);
    const real = { result: work?.count ?? 0, events };
    const both = this.#outcomes(real, () => this.naive.forceRelease(name, isPermit, this.nowMs));
    if (work !== undefined) this.#keep({ work, eviction: this.naive.lastEviction });
    return both;
  }

  /** Takes the naive table's token. A token that the lock table has not granted yet is left out. */
  #release(session: Session, request: ReleaseRequest, naiveToken: number | undefined): Both {
    const context = naiveToken === undefined ? undefined : this.#naiveTokens.contextOf(naiveToken);
    const realToken = context === undefined ? undefined : this.#realTokens.tokenOf(context);
    const hasToken = realToken !== undefined;
    const real = this.real.release(session, hasToken ? { ...request, token: realToken } : request, this.nowMs);
    const naiveRequest = hasToken ? { ...request, token: naiveToken } : request;
    return this.#outcomes(real, () => this.naive.release(numberOf(session), naiveRequest, this.nowMs));
  }

  #releaseClaim(step: Extract<Step, { step: 'releaseClaim' }>): Both {
    const { holds, places } = this.naive;
    const claims = [...holds, ...places].filter(({ session }) => this.#askingSessions.map(numberOf).includes(session));
    const claim = claims[step.pick % claims.length];
    if (claim === undefined) return { real: NOTHING, naive: NOTHING };
    const other = claims[(step.pick + 1) % claims.length] as typeof claim;
    const meant = (key: typeof step.wrong) => (step.wrong === key ? other : claim);
    const request = {
      ...(step.keys.includes('name') ? { name: meant('name').name } : {}),
      ...(step.keys.includes('mode') ? { mode: modeOfClaim(meant('mode')) } : {}),
      ...(step.keys.includes('tag') ? { tag: meant('tag').tag } : {}),
    };
    const withToken = meant('token');
    const token = step.keys.includes('token') && 'token' in withToken ? withToken.token : undefined;
    const session = this.#sessions.find((session) => numberOf(session) === meant('session').session) as Session;
    return this.#release(session, request, token);
  }

  #releaseAll(session: Session, tag: string | undefined): Both {
    const { result: work, events } = this.real.releaseAll(session, tag, this.nowMs);
    const departure = { session: numberOf(session), tag, isEnd: false };
    return this.#depart({ work, departure, session }, events, 0);
  }

  #cancel(session: Session, id: RequestId): Both {
    const real = this.real.cancel(session, id, this.nowMs);
    return this.#outcomes(real, () => this.naive.cancel(numberOf(session), id, this.nowMs));
  }

  #cancelWaiting(pick: number): Both {
    const cancellable = [...this.waiting.values()].filter((waiting) => waiting.id !== undefined);
    const waiting = cancellable[pick % cancellable.length];
    const session = this.#askingSessions.find((session) => numberOf(session) === waiting?.session);
    if (session === undefined) return { real: NOTHING, naive: NOTHING };
    return this.#cancel(session, waiting?.id as RequestId);
  }

  #endSession(session: Session, max: number): Both {
    this.#sessions = this.#sessions.filter((other) => other !== session);
    const work = this.real.endSession(session);
    const departure = { session: numberOf(session), tag: undefined, isEnd: true };
    this.naive.endSession(departure.session);
    return this.#depart({ work, departure, session }, this.real.goOn(work, max, this.nowMs), 0);
  }

  #goOn(pick: number, max: number): Both {
    const rest = this.#unfinished[pick % this.#unfinished.length];
    if (rest === undefined) return { real: NOTHING, naive: NOTHING };
    this.#unfinished = this.#unfinished.filter((each) => each !== rest);
    const before = rest.work instanceof Departure ? rest.work.releasedCount : 0;
    const events = this.real.goOn(rest.work, max, this.nowMs);
    if ('departure' in rest) return this.#depart(rest, events, before);
    this.#keep(rest);
    return this.#eventsOf(events, () => this.naive.tell(rest.eviction, this.nowMs));
  }

  #depart(
    rest: Extract<RestOfBoth, { session: Session }>,
    events: readonly TableEvent[],
    releasedBefore: number,
  ): Both {
    const releasedCount = rest.work.releasedCount - releasedBefore;
    const cancelled = contextsOf(events, 'cancelled');
    const both = this.#eventsOf(events, () => this.naive.depart(rest.departure, cancelled, releasedCount, this.nowMs));
    if (rest.work.isOver && this.naive.hasLeft(rest.departure)) throw new Error('the session has something left');
    this.#keep(rest);
    return both;
  }

  #keep(rest: RestOfBoth): void {
    if (!rest.work.isOver) this.#unfinished.push(rest);
  }

  #outcomes(
    real: { result: unknown; events: readonly TableEvent[] },
    askNaive: () => { result: unknown; events: readonly NaiveEvent[] },
  ): Both {
    const naive = this.#askNaive(real.events, askNaive);
    const both = this.#events(real.events, naive.events);
    return { real: { ...both.real, result: real.result }, naive: { ...both.naive, result: naive.result } };
  }

  #eventsOf(real: readonly TableEvent[], askNaive: () => readonly NaiveEvent[]): Both {
    return this.#events(real, this.#askNaive(real, askNaive));
  }

  /**
   * The naive table grants in the order that the lock table chose, as far as the rules allow. Where the lock table may find deadlocks
   * later, the naive one refuses the same requests at the same time, if they are in one.
   */
  #askNaive<Outcome>(real: readonly TableEvent[], ask: () => Outcome, refused: readonly number[] = []): Outcome {
    this.naive.grantOrder = contextsOf(real, 'ok');
    if (this.#isLetInLater) this.naive.answered = contextsOf(real);
    if (this.#isSearchSliced) this.naive.refusable = new Set([...refused, ...contextsOf(real, 'deadlock')]);
    this.naive.stuckStates = [];
    this.naive.toldCount = real.filter(isTaken).length;
    return ask();
  }

  /** @throws unless the cycle explains why a request of the last step is stuck. */
  #expectRealCycle(cycle: readonly DeadlockStep[]): void {
    const steps = cycle.map(({ name, owner, lockName, mode, blockedBy }): NaiveStep => {
      return { session: Number(name), tag: owner, name: lockName, mode, blockedBy };
    });
    const first = steps[0] as NaiveStep;
    const faults = this.naive.stuckStates
      .filter(({ owner }) => isSameOwner(owner, first))
      .map(({ state }) => findFault(steps, state));
    if (faults.includes(undefined)) return;
    throw new Error(`no cycle of the last step: ${JSON.stringify(steps)}: ${faults.join('; ')}`);
  }

  #events(real: readonly TableEvent[], naive: readonly NaiveEvent[]): Both {
    return {
      real: { result: undefined, events: this.#realEvents(real) },
      naive: { result: undefined, events: naive.map((event) => eventWithContext(event, this.#naiveTokens)) },
    };
  }

  #realEvents(events: readonly TableEvent[]): readonly NaiveEvent[] {
    return events.map((event) => {
      if (event.kind === 'answered' && !this.waiting.delete(event.context as number)) {
        throw new Error(`request ${event.context} was answered without having waited`);
      }
      if (event.kind === 'answered' && event.result.status === 'deadlock')
        this.#expectRealCycle(event.result.cycle ?? []);
      return eventWithContext({ ...event, session: numberOf(event.session) } as NaiveEvent, this.#realTokens);
    });
  }
}

/** Names the client of a session by the session's number. */
function clientOf(session: number): { clientName: string; address: string } {
  return { clientName: String(session), address: '' };
}

function numberOf(session: Session): number {
  return Number(session.client.clientName);
}

function withContexts(view: LockInformation, tokens: Tokens): LockInformation {
  const holders = view.holders.map((holder) => ({ ...holder, token: tokens.contextOf(holder.token) }));
  return { ...view, holders };
}

function modeOfClaim(claim: Hold | Place): LockMode {
  return 'requests' in claim ? modeOf(claim) : claim.mode;
}

/** The locks come in any order. */
function inAnyOrder<Event extends TableEvent | NaiveEvent>(events: readonly Event[]): readonly Event[] {
  const contextOf = (event: Event): number => (event.kind === 'answered' ? Number(event.context) : 0);
  return events.toSorted((a, b) => contextOf(a) - contextOf(b));
}
