/** Whether a client's options make sense, before anything is done with them. */

import { show } from '../message/show.ts';
import { LockInvalidError } from './lock-error.ts';

/** Options that are times or counts; those that are undefined have a default. */
type Numbers = Readonly<Record<string, number | undefined>>;

/** @throws LockInvalidError when one of them is no number from 0, or `Infinity`. */
export function requireFromZero(numbers: Numbers): void {
  for (const name in numbers) {
    const value = numbers[name];
    if (value === undefined || (typeof value === 'number' && value >= 0)) continue;
    throw wrong(name, value, 'a number from 0, or Infinity');
  }
}

/** @throws LockInvalidError when the value is none of those. */
export function requireOneOf(name: string, value: string | undefined, expected: readonly string[]): void {
  if (value === undefined || expected.includes(value)) return;
  throw wrong(name, value, expected.map((choice) => JSON.stringify(choice)).join(' or '));
}

/** @throws LockInvalidError when the value is no string. */
export function requireText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw wrong(name, value, 'a string');
}

/** @throws LockInvalidError when the value is no function. */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw wrong(name, value, 'a function');
}

/** @throws LockInvalidError when the value is neither undefined nor a signal. */
export function requireSignal(name: string, value: AbortSignal | undefined): void {
  if (value === undefined || typeof value?.throwIfAborted === 'function') return;
  throw wrong(name, value, 'an AbortSignal');
}

/**
 * The options as they are.
 * @throws LockInvalidError when they are no object (null has no default), or when one of them is not known.
 */
export function requireOptions<Options extends object>(
  options: Options,
  known: readonly string[],
  name = 'options',
): Options {
  if (typeof options !== 'object' || options === null) throw wrong(name, options, 'an object');
  for (const option in options) {
    if (known.includes(option)) continue;
    const nearest = nearestOf(option, known);
    const hint = nearest === undefined ? `expected ${known.join(', ')}` : `did you mean ${nearest}?`;
    throw new LockInvalidError(`${name} has ${show(option)}, which is not known; ${hint}`);
  }
  return options;
}

/** The error for a value that makes no sense. */
export function wrong(name: string, value: unknown, expected: string): LockInvalidError {
  return new LockInvalidError(`${name} is ${describe(value)}; expected ${expected}`);
}

/** A value of any kind, for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return show(value);
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** How many letters may be wrong for a name to be meant. */
const MAX_WRONG_LETTERS = 3;

function nearestOf(given: string, known: readonly string[]): string | undefined {
  if (given.length > MAX_LETTERS) return undefined;
  const ranked = known.map((name) => ({ name, wrongLetters: wrongLetters(given.toLowerCase(), name.toLowerCase()) }));
  const [nearest] = ranked.sort((a, b) => a.wrongLetters - b.wrongLetters);
  const isNear = nearest !== undefined && nearest.wrongLetters <= Math.min(MAX_WRONG_LETTERS, given.length / 2);
  return isNear ? nearest.name : undefined;
}

/** No name of an option has as many. */
const MAX_LETTERS = 40;

/** Letters to be added, left out or replaced to make the one of the other: the Levenshtein distance. */
function wrongLetters(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
