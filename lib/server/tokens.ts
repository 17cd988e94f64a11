/** Where fencing tokens come from. */

/**
 * Tokens that start at the microseconds since 1970, each greater by one: they grow over restarts as long as the wall
 * clock is not set back and no more than a million grants a second were given on average. Nothing is stored.
 */
export function tokensFromWallClock(): () => number {
  let token = Date.now() * 1_000;
  return () => {
    token += 1;
    return token;
  };
}
