/** Checks the options of the client before anything is done with them. */

import { unknownOption } from '../message/known-options.ts';
import { describe } from '../message/show.ts';
import { LockInvalidError } from './lock-error.ts';

/** Which values an option may have. */
export interface OptionRule {
  /** For people: `waitMs is -1; expected a number from 0, or Infinity`. */
  readonly expected: string;
  fits(value: unknown): boolean;
}

/** The options that a call knows. */
export type OptionRules = Readonly<Record<string, OptionRule>>;

/** A value that is checked elsewhere, or not at all. */
export const ANYTHING: OptionRule = { expected: 'anything', fits: () => true };
export const TEXT: OptionRule = { expected: 'a string', fits: (value) => typeof value === 'string' };
/** A time or a count. */
export const FROM_ZERO: OptionRule = {
  expected: 'a number from 0, or Infinity',
  fits: (value) => typeof value === 'number' && value >= 0,
};
export const SIGNAL: OptionRule = {
  expected: 'an AbortSignal',
  fits: (value) => typeof (value as AbortSignal | null)?.throwIfAborted === 'function',
};

/** One of these texts. */
export function oneOf(...choices: readonly string[]): OptionRule {
  return {
    expected: choices.map((choice) => JSON.stringify(choice)).join(' or '),
    fits: (value) => choices.includes(value as string),
  };
}

/**
 * Returns the options as they are; those that are undefined have a default.
 * @throws LockInvalidError when they are no object (null has no default), or when one is not known or breaks its rule.
 */
export function requireOptions<Options extends object>(options: Options, rules: OptionRules, name?: string): Options {
  if (typeof options !== 'object' || options === null) throw wrong(name ?? 'options', options, 'an object');
  for (const option in options) {
    if (!Object.hasOwn(rules, option)) {
      throw new LockInvalidError(String(unknownOption(options, Object.keys(rules), name)));
    }
    const { fits, expected } = rules[option] as OptionRule;
    const value = options[option];
    if (value !== undefined && !fits(value))
      throw wrong(name === undefined ? option : `${name}.${option}`, value, expected);
  }
  return options;
}

/** @throws LockInvalidError when the value is no string. */
export function requireText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw wrong(name, value, 'a string');
}

/** @throws LockInvalidError when the value is no function. */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw wrong(name, value, 'a function');
}

/** The error for a value that makes no sense. */
export function wrong(name: string, value: unknown, expected: string): LockInvalidError {
  return new LockInvalidError(`${name} is ${describe(value)}; expected ${expected}`);
}
