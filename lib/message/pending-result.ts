/** A handler returns one when its result will come later. */

/** Settled once. Calls its listener at once and not, as a promise would, later, so that replies leave in the order of their causes. */
export class PendingResult<Result extends object = object> {
  /** Whether the further requests of its connection wait for it. */
  readonly isOrdered: boolean;
  #result: Result | undefined;
  #listener: ((result: Result) => void) | undefined;

  constructor(isOrdered: boolean = false) {
    this.isOrdered = isOrdered;
  }

  get isSettled(): boolean {
    return this.#result !== undefined;
  }

  /** Gives the result. A second call is an error of the program. */
  settle(result: Result): void {
    if (this.#result !== undefined) throw new Error('a pending result was settled twice');
    this.#result = result;
    this.#listener?.(result);
  }

  /** Calls back with the result, at once if it is there. A second listener is an error of the program. */
  whenSettled(listener: (result: Result) => void): void {
    if (this.#listener !== undefined) throw new Error('a pending result has a listener already');
    if (this.#result !== undefined) listener(this.#result);
    else this.#listener = listener;
  }
}

/** Converts a result, at once if it is there, otherwise when it comes. */
export function mapResult<From extends object, To extends object>(
  result: From | PendingResult<From>,
  convert: (result: From) => To,
): To | PendingResult<To> {
  if (!(result instanceof PendingResult)) return convert(result);
  const converted = new PendingResult<To>(result.isOrdered);
  result.whenSettled((from) => converted.settle(convert(from)));
  return converted;
}
