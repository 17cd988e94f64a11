/** Counts the steps of work that may take only so many at once: the lock table has no clock by which it could stop. */

import type { Claim } from './types.ts';

const CHARACTERS_A_STEP = 512;

/** How many steps the end of a hold takes: its holder may be told a long name. */
export function stepsFor({ lock }: Claim): number {
  return 1 + Math.floor(lock.name.length / CHARACTERS_A_STEP);
}

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
