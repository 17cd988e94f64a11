/** A promise that somebody else resolves. */

/** What is waited for, and what ends the wait. */
export interface Gate {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

/** One that is shut. */
export function makeGate(): Gate {
  let resolve = (): void => {};
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve };
}
