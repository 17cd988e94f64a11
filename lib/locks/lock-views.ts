/** What others may see of the locks: one name, all names, all holders. */

import { Claim } from './claim.ts';
import { viewHolder, viewNamedHolder, viewWaiter } from './holder-view.ts';
import { Listing } from './listing.ts';
import type { LockKind } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import type { HolderView, LockView, NamedHolderView, NamesRequest, WaiterView } from './types.ts';

const KINDS: readonly LockKind[] = ['readerWriter', 'permit'];

/** All who hold locks, in the order of their grants. */
export class HolderListing<Subject, Context> extends Listing<Claim<Subject, Context>> {
  /** The next holders, up to `max`: those of them who still hold what they held when they were found. */
  peekHolders(max: number): NamedHolderView<Subject, Context>[] {
    return this.peek(max).filter(isHeld).map(viewNamedHolder);
  }
}

/** Reads a lock table's book. */
export class LockViews<Subject, Context> {
  readonly #book: LockBook<Subject, Context>;
  readonly #compareNames: (a: string, b: string) => number;

  constructor(book: LockBook<Subject, Context>, compareNames: (a: string, b: string) => number) {
    this.#book = book;
    this.#compareNames = compareNames;
  }

  inspect(name: string, max: number, kind: LockKind | undefined): LockView<Subject, Context> {
    const holders: HolderView<Subject, Context>[] = [];
    const waiters: WaiterView<Subject, Context>[] = [];
    let holderCount = 0;
    let waiterCount = 0;
    for (const each of kindsOf(kind)) {
      const locks = this.#book.locksOf(each);
      const alone = locks.findAlone(name);
      if (alone !== undefined) {
        holderCount += 1;
        if (holders.length < max) holders.push(viewHolder(alone));
        continue;
      }
      const lock = locks.find(name);
      if (lock === undefined) continue;
      holderCount += lock.holders.size;
      waiterCount += lock.queue.size;
      for (let claim = lock.holders.first; claim !== undefined && holders.length < max; claim = claim.next) {
        holders.push(viewHolder(claim));
      }
      let position = 1;
      for (let claim = lock.queue.first; claim !== undefined && waiters.length < max; claim = claim.next) {
        waiters.push(viewWaiter(claim, position));
        position += 1;
      }
    }
    return { name, holderCount, waiterCount, holders, waiters };
  }

  listNames({ kind, prefix, after }: NamesRequest): Listing<string> {
    return new Listing<string>({
      compare: this.#compareNames,
      items: () => this.#names(kind),
      isListed: (name) => name.startsWith(prefix),
      after,
    });
  }

  listHolders(kind: LockKind, name?: string): HolderListing<Subject, Context> {
    return new HolderListing<Subject, Context>({ compare: inOrderOfGrants, items: () => this.#holders(kind, name) });
  }

  *#names(kind: LockKind | undefined): Generator<string, void, undefined> {
    for (const each of kindsOf(kind)) yield* this.#book.locksOf(each).names();
  }

  *#holders(kind: LockKind, name: string | undefined): Generator<Claim<Subject, Context>, void, undefined> {
    const locks = this.#book.locksOf(kind);
    if (name !== undefined) {
      const alone = locks.findAlone(name);
      yield* alone === undefined ? [...(locks.find(name)?.holders ?? [])] : [alone];
      return;
    }
    for (const entry of locks.entries()) {
      if (entry instanceof Claim) yield entry;
      // A copy of each lock's holders, which may change before the next step.
      else yield* [...entry.holders];
    }
  }
}

function kindsOf(kind: LockKind | undefined): readonly LockKind[] {
  return kind === undefined ? KINDS : [kind];
}

/** Tokens grow with every grant. */
function inOrderOfGrants<Subject, Context>(a: Claim<Subject, Context>, b: Claim<Subject, Context>): number {
  return a.token - b.token;
}

function isHeld<Subject, Context>(claim: Claim<Subject, Context>): boolean {
  return claim.state === 'held';
}
