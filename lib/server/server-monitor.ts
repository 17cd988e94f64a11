/** What the status page, the metrics and the health checks may ask of a lock server. */

import type { GroupSurvey, Survey, SurveyOptions } from '../locks/survey.ts';
import type { SessionClaims } from '../locks/views.ts';
import { PendingResult } from '../message/pending-result.ts';
import type { HistoryPage, LockInformation, LockPage, ServerStatistics } from '../protocol.ts';
import type { HistoryPageLimits, HistoryQuery, HistorySource } from './history-source.ts';
import type { LockManager, NamesRequest } from './lock-manager.ts';
import type { LockServerLimits } from './lock-server-limits.ts';
import type { LockServerSession } from './session.ts';
import type { AbsentSession } from './session-keeper.ts';

export type { ContendedLock, LockKey } from '../locks/survey.ts';
export type { GroupSurvey, LockInformation, LockPage, ServerStatistics, SessionClaims, Survey, SurveyOptions };

/** A client that is connected, or whose session goes on without it. */
export interface MonitoredClient {
  readonly address: string;
  /** The name that it registered; empty for none. */
  readonly name: string;
  /** What its connection speaks; left out while that is unknown, and without a connection. */
  readonly protocol?: string;
  readonly state: 'connected' | AbsentSession['state'];
  /** How many locks it holds or awaits. */
  readonly claimCount: number;
  /** Its session ends in so many milliseconds unless it comes back. */
  readonly expiresInMs?: number;
}

/** Why a server grants no new lock. `tokens`: no fencing token is reserved. */
export type Unreadiness = 'grace' | 'draining' | 'tokens';

/** What a monitor is made of. */
export interface MonitorParts {
  readonly manager: LockManager;
  readonly limits: LockServerLimits;
  readonly isDumpOn: boolean;
  readonly statistics: () => ServerStatistics | PendingResult<ServerStatistics>;
  readonly connected: () => Iterable<LockServerSession>;
  readonly absent: () => Iterable<AbsentSession>;
  readonly isInGrace: () => boolean;
  readonly isDraining: () => boolean;
  /** Undefined where none is kept. */
  readonly history: HistorySource | undefined;
}

export class ServerMonitor {
  /** Whether anybody may ask who holds what. */
  readonly isDumpOn: boolean;
  readonly limits: LockServerLimits;
  readonly #parts: MonitorParts;

  constructor(parts: MonitorParts) {
    this.#parts = parts;
    this.isDumpOn = parts.isDumpOn;
    this.limits = parts.limits;
  }

  /** Undefined as long as locks are granted. */
  get unreadiness(): Unreadiness | undefined {
    const { isDraining, isInGrace, manager } = this.#parts;
    if (isDraining()) return 'draining';
    if (isInGrace()) return 'grace';
    return manager.tokensLeft > 0 ? undefined : 'tokens';
  }

  /** Undefined where no reservation is needed. */
  get tokensLeft(): number | undefined {
    const { manager } = this.#parts;
    return manager.isDurable ? manager.tokensLeft : undefined;
  }

  /** Resolves to the current counts and the totals since the start. */
  statistics(): Promise<ServerStatistics> {
    return promiseOf(this.#parts.statistics());
  }

  /** Resolves to what stands out among all locks, in slices. */
  survey(options: SurveyOptions): Promise<Survey> {
    return promiseOf(this.#parts.manager.survey(options));
  }

  /** Resolves to the holders and waiters of a name, at most `max` of each. */
  inspect(lockName: string, max: number): Promise<LockInformation> {
    return promiseOf(this.#parts.manager.inspect(lockName, max));
  }

  /** Resolves to at most `max` names in order; never once `isWanted` is false. */
  list(request: NamesRequest, max: number, isWanted: () => boolean): Promise<LockPage> {
    return promiseOf(this.#parts.manager.list(request).nextPage(max, isWanted));
  }

  /** Resolves to the newest records that are wanted, and never once `isWanted` is false; undefined where no history is kept. */
  history(query: HistoryQuery, limits: HistoryPageLimits, isWanted: () => boolean): Promise<HistoryPage> | undefined {
    const { history } = this.#parts;
    return history && promiseOf(history.page(query, limits, isWanted));
  }

  /** All clients, those that are connected first. */
  *clients(): Generator<MonitoredClient, void, undefined> {
    for (const { address, clientName: name, protocol, locks } of this.#parts.connected()) {
      const { claimCount } = locks;
      yield { address, name, ...(protocol === undefined ? {} : { protocol }), state: 'connected', claimCount };
    }
    yield* this.#parts.absent();
  }

  /** What the client at an address holds and awaits, at most `max` of all; undefined when none is connected from there. */
  claimsOf(address: string, max: number): SessionClaims | undefined {
    for (const session of this.#parts.connected()) if (session.address === address) return session.locks.claims(max);
    return undefined;
  }
}

function promiseOf<Result extends object>(result: Result | PendingResult<Result>): Promise<Result> {
  if (!(result instanceof PendingResult)) return Promise.resolve(result);
  return new Promise((resolve) => {
    result.whenSettled(resolve);
  });
}
