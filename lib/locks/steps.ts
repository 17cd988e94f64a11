/** Counts down what a search may look at, since the lock table has no clock. */

/** One step looks at one claim. A few steps more than allowed may be taken, for what is done in one go. */
export class Steps {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  take(count: number = 1): void {
    this.#taken += count;
  }

  get taken(): number {
    return this.#taken;
  }

  get areUsedUp(): boolean {
    return this.#taken >= this.#max;
  }
}
