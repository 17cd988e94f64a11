/** Whether the numbers of a client's options make sense, before anything is done with them. */

import { LockInvalidError } from './lock-error.ts';

/** Options that are times or counts; those that are undefined have a default. */
type Numbers = Readonly<Record<string, number | undefined>>;

/** @throws LockInvalidError when one of them is no number from 0, or `Infinity`. */
export function requireFromZero(numbers: Numbers): void {
  for (const name in numbers) {
    const value = numbers[name];
    if (value === undefined || (typeof value === 'number' && value >= 0)) continue;
    throw new LockInvalidError(`${name} is ${describe(value)}; expected a number from 0, or Infinity`);
  }
}

/** @throws LockInvalidError when the value is none of those. */
export function requireOneOf(name: string, value: string | undefined, expected: readonly string[]): void {
  if (value === undefined || expected.includes(value)) return;
  const choices = expected.map((choice) => JSON.stringify(choice)).join(' or ');
  throw new LockInvalidError(`${name} is ${describe(value)}; expected ${choices}`);
}

/** The options as they are. @throws TypeError when they are no object: null has no default. */
export function requireOptions<Options extends object>(options: Options): Options {
  if (typeof options === 'object' && options !== null) return options;
  throw new TypeError(`options is ${describe(options)}; expected an object`);
}

/** A value of any kind, for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
