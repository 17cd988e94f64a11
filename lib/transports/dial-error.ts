/** Errors of dialling, with a text for people. */

/**
 * The error as it is, with a text if it had none: where a name has several addresses, the system tells only which attempts
 * failed, each with a text of its own.
 */
export function withText<Failure extends Error>(error: Failure): Failure {
  if (error.message === '' && error instanceof AggregateError) {
    error.message = error.errors
      .map((each: unknown) => (each instanceof Error ? each.message : String(each)))
      .join('; ');
  }
  return error;
}
