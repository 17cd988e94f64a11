/** Waiting until nothing moves any more, without a word about how long that takes. */

/** So long nothing has to change: work of the server that is put off, or a callback of the test, may take a turn or two. */
const QUIET_ROUNDS = 3;

/** Resolves when what `look` sees has stayed the same over some rounds. */
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
