/** A handler returns one when its result will come later. */

/** Settled once. Calls its listener at once and not, as a promise would, later, so that replies leave in the order of their causes. */
export class PendingResult<Result extends object = object> {
  #result: Result | undefined;
  #listener: ((result: Result) => void) | undefined;

  get isSettled(): boolean {
    return this.#result !== undefined;
  }

  /** Gives the result. A second call is an error of the program. */
  settle(result: Result): void {
    if (this.#result !== undefined) throw new Error('a pending result was settled twice');
    this.#result = result;
    this.#listener?.(result);
  }

  /** Calls back with the result, at once if it is there. One listener at most. */
  whenSettled(listener: (result: Result) => void): void {
    if (this.#result !== undefined) listener(this.#result);
    else this.#listener = listener;
  }
}

/** A pending result behind which the further requests of its connection wait. */
export class OrderedResult<Result extends object = object> extends PendingResult<Result> {}

/** Converts a result, at once if it is there, otherwise when it comes. */
export function mapResult<From extends object, To extends object>(
  result: From | PendingResult<From>,
  convert: (result: From) => To,
): To | PendingResult<To> {
  if (!(result instanceof PendingResult)) return convert(result);
  const converted = result instanceof OrderedResult ? new OrderedResult<To>() : new PendingResult<To>();
  result.whenSettled((from) => converted.settle(convert(from)));
  return converted;
}
