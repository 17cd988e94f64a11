/** Listings of the locks of this process, page by page and in slices. */

import { Backlog } from '../locks/backlog.ts';
import type { LockTable } from '../locks/lock-table.ts';
import type { Survey, SurveyOptions } from '../locks/survey.ts';
import { bytesOfText } from '../locks/table-bytes.ts';
import type { Claim, LockKind } from '../locks/types.ts';
import { viewNamedHolder } from '../locks/views.ts';
import { PendingResult } from '../message/pending-result.ts';
import { TurnBudget, type Work } from '../message/scheduler.ts';
import type { LockInformation, LockPage, NamedLockHolder } from '../protocol.ts';
import { compareEncoded } from '../wire/text.ts';
import type { Clock } from './clock.ts';
import { Listing } from './listing.ts';
import { ListingsAhead } from './listings-ahead.ts';
import type { HoldersPage, NamesRequest, PageLimits, Pages } from './lock-manager.ts';
import { addSize, charactersOf, isTooLarge } from './page-size.ts';

/** Milliseconds of each turn for all listings. It is a budget of their own, so that no end and no deadline waits behind them. */
const LISTINGS_MS = 0.5;
/** How many names to handle before looking at the clock again. */
const NAMES_A_STEP = 32;
/** Fewer holders are looked at within the request. */
const HOLDERS_AT_ONCE = 200;
/** How many listings look for a page at a time, and how many keep what they have found ahead. */
const MAX_PASSES = 4;
const MAX_LISTINGS_AHEAD = 4;

const always = (): boolean => true;

/** Makes the pages. */
export class LockListings {
  readonly #table: LockTable;
  readonly #clock: Clock;
  readonly #limits: PageLimits;
  readonly #budget: TurnBudget;
  readonly #ahead = new ListingsAhead(MAX_LISTINGS_AHEAD);
  readonly #waiting = new Backlog<Work>();
  #passCount = 0;

  constructor(table: LockTable, clock: Clock, limits: PageLimits) {
    this.#table = table;
    this.#clock = clock;
    this.#limits = limits;
    this.#budget = new TurnBudget(LISTINGS_MS, clock);
  }

  list({ kind, prefix, after }: NamesRequest): Pages<LockPage> {
    const listing = new Listing<string>({
      compare: compareEncoded,
      items: () => this.#table.names(kind),
      isListed: (name) => name.startsWith(prefix),
      bytesOf: bytesOfText,
      after,
    });
    return this.#inSlices(listing, (max) => this.#makePage(listing, max, kind));
  }

  listHolders(kind: LockKind, lockName?: string): Pages<HoldersPage> {
    const listing = new Listing<Claim>({
      compare: (a, b) => a.token - b.token,
      items: () => this.#table.holds(kind, lockName),
      bytesOf: ({ lock }) => bytesOfText(lock.name),
    });
    return this.#inSlices(listing, (max) => this.#makeHoldersPage(listing, max));
  }

  /** Whether a lock is held with a token. */
  isHeldWith(lockName: string, token: number): { isHeld: boolean } | PendingResult<{ isHeld: boolean }> {
    const { holderCount } = this.#table.inspect(lockName, 0, this.#clock.nowMs());
    if (holderCount <= HOLDERS_AT_ONCE) return { isHeld: this.#table.isHeldWith(lockName, token) };
    const answer = new PendingResult<{ isHeld: boolean }>(true);
    const search = searchHold(this.#table, lockName, token);
    this.#addPass(() => {
      for (let seen = 0; seen < NAMES_A_STEP; seen += 1) {
        const { done, value: isHeld } = search.next();
        if (done !== true) continue;
        answer.settle({ isHeld });
        return 'done';
      }
      return 'again';
    });
    return answer;
  }

  /** What stands out among all locks. */
  survey(options: SurveyOptions): PendingResult<Survey> {
    const pass = this.#table.survey(options, () => this.#clock.nowMs());
    const answer = new PendingResult<Survey>();
    this.#addPass(() => {
      if (!pass.step(NAMES_A_STEP)) return 'again';
      answer.settle(pass.result());
      return 'done';
    });
    return answer;
  }

  #inSlices<Page extends object>(
    listing: Pick<Listing<unknown>, 'step' | 'endPass' | 'isAhead' | 'forgetAhead'>,
    makePage: (max: number) => Page,
  ): Pages<Page> {
    return {
      nextPage: (max, isWanted = always) => {
        const page = new PendingResult<Page>();
        const work: Work = () => {
          if (!isWanted()) {
            listing.endPass();
            return 'done';
          }
          if (!listing.step(NAMES_A_STEP, max)) return 'again';
          const made = makePage(max);
          this.#ahead.keep(listing);
          page.settle(made);
          return 'done';
        };
        this.#ahead.take(listing);
        // What is found already is not kept for longer behind the passes of others.
        if (listing.isAhead) this.#budget.add(work);
        else this.#addPass(work);
        return page;
      },
    };
  }

  #addPass(work: Work): void {
    this.#waiting.push(work);
    this.#beginPass();
  }

  #beginPass(): void {
    if (this.#passCount === MAX_PASSES) return;
    const pass = this.#waiting.take();
    if (pass === undefined) return;
    this.#passCount += 1;
    this.#budget.add(() => {
      if (pass() === 'again') return 'again';
      this.#passCount -= 1;
      this.#beginPass();
      return 'done';
    });
  }

  #makePage(listing: Listing<string>, max: number, kind: LockKind | undefined): LockPage {
    const locks: LockInformation[] = [];
    const names = listing.peek(max);
    const size = { entries: 0, characters: 0 };
    let count = 0;
    for (; count < names.length; count += 1) {
      const lock = this.#table.inspect(names[count] as string, this.#limits.maxPageEntries, this.#clock.nowMs(), kind);
      if (lock.holderCount + lock.waiterCount === 0) continue;
      addSize(size, lock);
      if (locks.length > 0 && isTooLarge(size, this.#limits)) break;
      locks.push(lock);
    }
    listing.skip(count);
    const next = listing.isOver ? undefined : listing.position;
    return next === undefined ? { locks } : { locks, next };
  }

  #makeHoldersPage(listing: Listing<Claim>, max: number): HoldersPage {
    const nowMs = this.#clock.nowMs();
    const holders: NamedLockHolder[] = [];
    const size = { entries: 0, characters: 0 };
    const claims = listing.peek(max);
    let count = 0;
    for (; count < claims.length && !isTooLarge(size, this.#limits); count += 1) {
      const claim = claims[count] as Claim;
      if (claim.state !== 'held') continue;
      const holder = viewNamedHolder(claim, nowMs);
      size.characters += charactersOf(holder) + holder.lockName.length;
      holders.push(holder);
    }
    listing.skip(count);
    return { holders, isLast: listing.isOver };
  }
}

/** Takes one step for each hold. */
function* searchHold(table: LockTable, lockName: string, token: number): Generator<undefined, boolean, undefined> {
  for (const kind of ['readerWriter', 'permit'] as const) {
    for (const claim of table.holds(kind, lockName)) {
      // A lock that was taken from all its holders is not in the map, though some are not told yet.
      if (claim.token === token) return claim.lock.isInMap;
      yield undefined;
    }
  }
  return false;
}
