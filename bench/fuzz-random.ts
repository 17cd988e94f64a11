/** Random choices that follow from a seed alone, so that a run of the fuzz program can be repeated. */

/** Sets the seeds of neighbouring cases far apart. */
const GOLDEN_RATIO = 0x9e3779b1;

/** The generator mulberry32. */
export class Random {
  #state: number;

  /** Each case of a run has choices of its own, whatever the others do. */
  constructor(seed: number, index: number) {
    this.#state = (seed ^ Math.imul(index + 1, GOLDEN_RATIO)) >>> 0;
  }

  /** A number from 0, below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0, below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  oneOf<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  /** As many values as `count`, each made anew. */
  many<Value>(count: number, make: () => Value): Value[] {
    return Array.from({ length: count }, make);
  }
}
