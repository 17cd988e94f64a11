/** All connections that watch locks. The locks are observed for them only while there is one. */

import { TurnBudget } from '../message/scheduler.ts';
import type { HoldEnd, WatchedEvent } from '../protocol.ts';
import type { WatchParameters } from './lock-commands.ts';
import type { LockObserver, ObservedClaim, ObservedRefusal } from './lock-observer.ts';
import type { LockObservers } from './lock-observers.ts';
import type { Refusal } from './lock-requests.ts';
import type { LockServerLimits } from './lock-server-limits.ts';
import { LockWatch } from './lock-watch.ts';
import type { LockServerSession } from './session.ts';
import { endOf, grantOf, namesOfRefusal, namesOfWait, refusalOf, waitOf } from './watched-events.ts';

/** Begins and ends the watches of one server, and tells each what it is about. */
export class LockWatches implements LockObserver {
  readonly #observers: LockObservers;
  readonly #limits: Pick<LockServerLimits, 'maxWatchers'>;
  readonly #budget = new TurnBudget();
  readonly #watches = new Map<LockServerSession, LockWatch>();

  constructor(observers: LockObservers, limits: Pick<LockServerLimits, 'maxWatchers'>) {
    this.#observers = observers;
    this.#limits = limits;
  }

  /** Has a connection told of what happens from now on, in place of what it watched before. Returns why not, if it cannot be. */
  begin(session: LockServerSession, about: WatchParameters): Refusal | undefined {
    const before = this.#watches.get(session);
    if (before === undefined && this.#watches.size >= this.#limits.maxWatchers) {
      return { status: 'limit', limit: 'maxWatchers', value: this.#limits.maxWatchers };
    }
    before?.end();
    if (this.#watches.size === 0) this.#observers.add(this);
    this.#watches.set(session, new LockWatch(session, about, this.#budget));
    return undefined;
  }

  /** Forgets a connection that is gone. */
  end(session: LockServerSession): void {
    const watch = this.#watches.get(session);
    if (watch === undefined) return;
    watch.end();
    this.#watches.delete(session);
    if (this.#watches.size === 0) this.#observers.remove(this);
  }

  queued(claim: ObservedClaim): void {
    const names = namesOfWait(claim);
    this.#tell(names, () => waitOf(claim, names));
  }

  granted(claim: ObservedClaim): void {
    this.#tell([claim.lock.name], () => grantOf(claim));
  }

  ended(claim: ObservedClaim, how: HoldEnd, nowMs: number): void {
    this.#tell([claim.lock.name], () => endOf(claim, how, nowMs));
  }

  refused(refusal: ObservedRefusal): void {
    this.#tell(namesOfRefusal(refusal), () => refusalOf(refusal));
  }

  /** Makes the event once, and only if somebody watches one of these locks. */
  #tell(names: readonly string[], describe: () => WatchedEvent): void {
    let event: WatchedEvent | undefined;
    for (const watch of this.#watches.values()) {
      if (!names.some((name) => watch.isAbout(name))) continue;
      event ??= describe();
      watch.add(event);
    }
  }
}
