/** One page of those who hold locks, in the order of their grants. */

import type { Claim } from './claim.ts';
import { PageScan } from './page-scan.ts';
import type { HolderView, NamedHolderView } from './types.ts';

/** The search for one page of holders. Tokens grow with every grant, so their order is that of the grants. */
export class HolderScan<Subject, Context> extends PageScan<Claim<Subject, Context>> {
  constructor(claims: Iterator<Claim<Subject, Context>>, afterToken: number, max: number) {
    super({
      max,
      compare: (a, b) => a.token - b.token,
      isWanted: (claim) => claim.token > afterToken && isHeld(claim),
      items: claims,
    });
  }

  /** The page: those who still hold what they held when they were found. */
  get holders(): readonly NamedHolderView<Subject, Context>[] {
    return this.page.filter(isHeld).map(viewNamedHolder);
  }

  /** The last token of the page, for the next one to begin behind. */
  get lastToken(): number {
    return this.page.at(-1)?.token ?? 0;
  }
}

/** A hold as others may see it. */
export function viewHolder<Subject, Context>(claim: Claim<Subject, Context>): HolderView<Subject, Context> {
  const { owner, mode, token, sinceMs, isStealable } = claim;
  return { session: owner.session, tag: owner.tag, mode, token, sinceMs, isStealable };
}

/** The same with the name of the lock. */
export function viewNamedHolder<Subject, Context>(claim: Claim<Subject, Context>): NamedHolderView<Subject, Context> {
  return { name: claim.name, ...viewHolder(claim) };
}

function isHeld<Subject, Context>(claim: Claim<Subject, Context>): boolean {
  return claim.state === 'held' && claim.owner.session.state === 'live';
}
