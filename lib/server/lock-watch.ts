/** One connection that watches locks: what it is yet to be told, within bounds. */

import { budgetClock, type TurnBudget } from '../message/scheduler.ts';
import type { WatchedEvent } from '../protocol.ts';
import type { WatchParameters } from './lock-commands.ts';
import type { LockServerSession } from './session.ts';

/** How many events wait to be told, and about how many characters they have. Further ones are missed. */
const MAX_EVENTS = 1_000;
const MAX_CHARACTERS = 262_144;
/** Roughly how many characters of JSON an event takes, without its texts. */
const EVENT_CHARACTERS = 200;
/** Nothing more is sent while so much is unread: little enough that the connection is never cut off for it. */
const MAX_UNSENT_BYTES = 65_536;
/** How many events to send before looking at the clock. */
const EVENTS_A_STEP = 16;

/**
 * `resting`: nothing waits to be told. `scheduled`: it will be told in a later turn, off the way of the lock that it is about.
 * `blocked`: once the client has read more. `over`: the connection is gone.
 */
type State = 'resting' | 'scheduled' | 'blocked' | 'over';

/** Keeps the events of one connection until the client reads them, and counts those for which there is no room. */
export class LockWatch {
  readonly #session: LockServerSession;
  readonly #about: WatchParameters;
  readonly #budget: TurnBudget;
  readonly #events: WatchedEvent[] = [];
  #characters = 0;
  /** Events that found no room. Until this was told, all that follow are missed, too. */
  #missed = 0;
  #state: State = 'resting';

  /** The budget of a turn is shared by all watches of a server. */
  constructor(session: LockServerSession, about: WatchParameters, budget: TurnBudget) {
    this.#session = session;
    this.#about = about;
    this.#budget = budget;
  }

  isAbout(lockName: string): boolean {
    const { lockName: only = lockName, prefix = '' } = this.#about;
    return lockName === only && lockName.startsWith(prefix);
  }

  /** Tells the client later, or that it missed something. */
  add(event: WatchedEvent): void {
    const hasRoom = this.#events.length < MAX_EVENTS && this.#characters < MAX_CHARACTERS;
    if (this.#missed > 0 || !hasRoom) {
      this.#missed += 1;
      return;
    }
    this.#events.push(event);
    this.#characters += charactersOf(event);
    if (this.#state === 'resting') this.#schedule();
  }

  end(): void {
    this.#state = 'over';
  }

  #schedule(): void {
    this.#state = 'scheduled';
    budgetClock.defer(() => this.#budget.add(() => this.#tell()));
  }

  /** Sends some events. `again` while there are more and the client reads. */
  #tell(): 'again' | 'done' {
    for (let count = 0; count < EVENTS_A_STEP; count += 1) {
      if (this.#state === 'over') return 'done';
      if (this.#isUnread()) {
        this.#awaitReader();
        return 'done';
      }
      const event = this.#events.shift();
      if (event === undefined) {
        this.#tellMissed();
        this.#state = 'resting';
        return 'done';
      }
      this.#characters -= charactersOf(event);
      this.#session.sendEvent({ ...event });
    }
    return 'again';
  }

  #tellMissed(): void {
    if (this.#missed > 0) this.#session.sendEvent({ event: 'missed', count: this.#missed });
    this.#missed = 0;
  }

  #isUnread(): boolean {
    const { connection } = this.#session;
    if (connection.unsentBytes < MAX_UNSENT_BYTES) return false;
    // The system may take it at once.
    connection.flush();
    return connection.unsentBytes >= MAX_UNSENT_BYTES;
  }

  #awaitReader(): void {
    this.#state = 'blocked';
    this.#session.connection.whenDrained(() => {
      if (this.#state === 'blocked') this.#schedule();
    });
  }
}

function charactersOf({ lockName, otherLocks = [], owner, name }: WatchedEvent): number {
  const others = otherLocks.reduce((sum, each) => sum + each.length, 0);
  return EVENT_CHARACTERS + lockName.length + others + owner.length + name.length;
}
