/** A promise that other code resolves. */

/** The promise, and the function that resolves it. */
export interface Gate {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

/** Makes a closed gate. */
export function makeGate(): Gate {
  let resolve = (): void => {};
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve };
}
