/** The source of fencing tokens. */

/**
 * Tokens begin at the microseconds since 1970 and grow by one. They keep growing over restarts without being stored,
 * unless the wall clock is set back or the average exceeds a million grants a second.
 */
export function tokensFromWallClock(): () => number {
  let token = Date.now() * 1_000;
  return () => {
    token += 1;
    return token;
  };
}
