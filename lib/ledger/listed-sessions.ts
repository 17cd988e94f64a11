/** What the file of sessions says: the sessions, and the holds that they have lost although their clients may not know. */

import type { EarlierSession, LossRecord, SessionRecord } from './ledger.ts';

/** What one line adds and ends. One line for all records of a sync, so that only the last line can be torn. */
export interface Batch {
  readonly added: readonly SessionRecord[];
  readonly ended: readonly string[];
  /** Undefined in files of before losses were recorded. */
  readonly lost?: readonly (LossRecord & { readonly id: string })[] | undefined;
}

interface Listed {
  readonly session: SessionRecord;
  losses: (LossRecord & { readonly atMs: number })[];
}

export class ListedSessions {
  readonly #sessions = new Map<string, Listed>();

  apply({ added, ended, lost = [] }: Batch): void {
    const atMs = performance.now();
    for (const session of added) this.#sessions.set(session.id, { session, losses: [] });
    for (const { id, token, reason } of lost) this.#sessions.get(id)?.losses.push({ token, reason, atMs });
    for (const id of ended) this.#sessions.delete(id);
  }

  get ids(): Iterable<string> {
    return this.#sessions.keys();
  }

  /**
   * All of it, for a new file. L3: losses are dropped after the time-out of their sessions. A client that has not heard of one until then
   * has had no answer since, because answers come behind it; so it reclaims nothing (S6).
   */
  summary(): Batch & Required<Pick<Batch, 'lost'>> {
    const nowMs = performance.now();
    const listed = [...this.#sessions.values()];
    for (const each of listed) {
      each.losses = each.losses.filter(({ atMs }) => atMs + each.session.timeoutMs >= nowMs);
    }
    const lost = listed.flatMap(({ session: { id }, losses }) =>
      losses.map(({ token, reason }) => ({ id, token, reason })),
    );
    return { added: listed.map(({ session }) => session), ended: [], lost };
  }

  describe(): readonly EarlierSession[] {
    return [...this.#sessions.values()].map(({ session, losses }) =>
      losses.length === 0 ? session : { ...session, losses: losses.map(({ token, reason }) => ({ token, reason })) },
    );
  }
}
