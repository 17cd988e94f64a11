/** The names that clients gave themselves, in the order of registration. */

import type { LockServerSession } from './session.ts';

/** A client that has a name. */
export interface NamedClient {
  readonly address: string;
  readonly name: string;
}

/** One page. If there is more, `next` is the `after` of the next request. */
export interface NamedClientPage {
  readonly clients: readonly NamedClient[];
  readonly next?: number;
}

/** A registered name. `session` becomes undefined when the client leaves or registers again. */
interface Registration {
  readonly number: number;
  session: LockServerSession | undefined;
}

/** Remembers the names of clients. Registering again moves a client to the end. */
export class NameRegistry {
  readonly #registrations = new Map<LockServerSession, Registration>();
  /** Ordered by number. Registrations without a session are removed once they are the majority. */
  #inOrder: Registration[] = [];
  #lastNumber = 0;

  /** Sets a client's name; an empty name clears it. */
  register(session: LockServerSession, name: string): void {
    this.forget(session);
    session.clientName = name;
    if (name === '') return;
    this.#lastNumber += 1;
    const registration = { number: this.#lastNumber, session };
    this.#registrations.set(session, registration);
    this.#inOrder.push(registration);
  }

  forget(session: LockServerSession): void {
    const registration = this.#registrations.get(session);
    if (registration === undefined) return;
    registration.session = undefined;
    this.#registrations.delete(session);
    if (this.#inOrder.length > 2 * this.#registrations.size) {
      this.#inOrder = this.#inOrder.filter((each) => each.session !== undefined);
    }
  }

  /** Up to `max` clients that registered after number `after`, of one name if it is given. */
  page(name: string | undefined, after: number, max: number): NamedClientPage {
    const clients: NamedClient[] = [];
    let last = after;
    for (let index = this.#firstBehind(after); index < this.#inOrder.length; index += 1) {
      const { number, session } = this.#inOrder[index] as Registration;
      if (session === undefined || (name !== undefined && session.clientName !== name)) continue;
      if (clients.length === max) return { clients, next: last };
      clients.push({ address: session.address, name: session.clientName });
      last = number;
    }
    return { clients };
  }

  #firstBehind(number: number): number {
    let low = 0;
    let high = this.#inOrder.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#inOrder[middle] as Registration).number <= number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
