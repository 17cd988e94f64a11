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

/** A name that was registered, and by whom; by nobody once the client is gone or has registered anew. */
interface Registration {
  readonly number: number;
  session: LockServerSession | undefined;
}

/** Who is called what. Registering again moves a client to the end. */
export class NameRegistry {
  readonly #registrations = new Map<LockServerSession, Registration>();
  /** In the order of their numbers. Those that are nobody's are left out once they are the most. */
  #inOrder: Registration[] = [];
  #lastNumber = 0;

  /** Sets a client's name; the empty one clears it. */
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

  /** Up to `max` clients registered behind `after`, of one name only if it is given. */
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
