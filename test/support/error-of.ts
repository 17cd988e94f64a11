/** The error of a rejected promise; throws if it was not rejected. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  const value: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(value instanceof Error)) throw new Error('the promise was not rejected with an error');
  return value;
}
