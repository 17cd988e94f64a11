/** Results of the message protocol. */

/** A lock was granted. */
export function granted(token: number, count = 1): object {
  return { status: 'ok', token, count };
}

/** The owner has the lock already. */
export function alreadyHeld(token: number, count = 1): object {
  return { status: 'ok', token, count, alreadyHeld: true };
}

/** A limit of the server forbids it. */
export function limitReached(limit: string, value: number): object {
  return { status: 'limit', limit, value };
}

/** The request is wrong. */
export function invalid(message: string): object {
  return { status: 'invalid', message };
}

/** The lock was released. */
export function released(count: number): object {
  return { status: 'ok', count };
}
