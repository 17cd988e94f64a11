/** Gives every dialling error a readable message. */

/**
 * Fills in an empty message. When a name has several addresses, the system's error has no message of its own, only one
 * for each failed attempt.
 */
export function withText<Failure extends Error>(error: Failure): Failure {
  if (error.message === '' && error instanceof AggregateError) {
    error.message = error.errors
      .map((each: unknown) => (each instanceof Error ? each.message : String(each)))
      .join('; ');
  }
  return error;
}
