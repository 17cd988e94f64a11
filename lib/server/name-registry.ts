/** The names that clients gave themselves, in the order in which they were registered. */

import type { LockServerSession } from './session.ts';

/** One client with a name. */
export interface NamedClient {
  readonly address: string;
  readonly name: string;
}

/** One page; `next` is what to ask for as `after` when there is more. */
export interface NamedClientPage {
  readonly clients: readonly NamedClient[];
  readonly next?: number;
}

/** Who is called what. Registering again moves a client to the end. */
export class NameRegistry {
  readonly #numbers = new Map<LockServerSession, number>();
  #registrations = 0;

  /** Sets a client's name; the empty one clears it. */
  register(session: LockServerSession, name: string): void {
    this.#numbers.delete(session);
    session.clientName = name;
    if (name === '') return;
    this.#registrations += 1;
    this.#numbers.set(session, this.#registrations);
  }

  forget(session: LockServerSession): void {
    this.#numbers.delete(session);
  }

  /** Up to `max` clients registered behind `after`, of one name only if it is given. */
  page(name: string | undefined, after: number, max: number): NamedClientPage {
    const clients: NamedClient[] = [];
    let last = after;
    for (const [session, number] of this.#numbers) {
      if (number <= after || (name !== undefined && session.clientName !== name)) continue;
      if (clients.length === max) return { clients, next: last };
      clients.push({ address: session.address, name: session.clientName });
      last = number;
    }
    return { clients };
  }
}
