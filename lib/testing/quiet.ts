/** Waits, without a time limit, until nothing changes any more. */

/**
 * How many rounds must pass without a change: deferred work of the server or a callback of the test may take a turn or
 * two.
 */
const QUIET_ROUNDS = 3;

/** Resolves when the result of `look` has stayed the same for some rounds. */
export async function untilQuiet(look: () => unknown, round: () => Promise<unknown>): Promise<void> {
  let seen = look();
  for (let quietRounds = 0; quietRounds < QUIET_ROUNDS; quietRounds += 1) {
    await round();
    const now = look();
    if (now !== seen) quietRounds = -1;
    seen = now;
  }
}

/** Resolves when everything that is ready now has had its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
