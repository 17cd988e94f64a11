/** Refuses unknown options, so that a misspelt one is noticed where it was written. */

import { describe, show } from './show.ts';

/**
 * Returns the options unchanged.
 * @throws TypeError when they are no object, or one of them is unknown.
 */
export function requireKnownOptions<Options extends object>(
  options: Options,
  known: readonly string[],
  name: string = 'options',
): Options {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${name} is ${describe(options)}; expected an object`);
  }
  const problem = unknownOption(options, known, name);
  if (problem !== undefined) throw new TypeError(problem);
  return options;
}

/** Names an unknown option and the one that the caller may have meant; undefined if all are known. */
export function unknownOption(options: object, known: readonly string[], name: string = 'options'): string | undefined {
  for (const option in options) {
    if (known.includes(option)) continue;
    const nearest = nearestOf(option, known);
    const hint = nearest === undefined ? `expected ${known.join(', ')}` : `did you mean ${nearest}?`;
    return `${name} has ${show(option)}, which is not known; ${hint}`;
  }
  return undefined;
}

/** How many letters may be wrong for a name to be meant. */
const MAX_WRONG_LETTERS = 3;

function nearestOf(given: string, known: readonly string[]): string | undefined {
  for (let wrongLetters = 0; wrongLetters <= Math.min(MAX_WRONG_LETTERS, given.length / 2); wrongLetters += 1) {
    const nearest = known.find((name) => isNear(given.toLowerCase(), name.toLowerCase(), wrongLetters));
    if (nearest !== undefined) return nearest;
  }
  return undefined;
}

/** Whether one name becomes the other when so many letters are added, removed or replaced. */
function isNear(a: string, b: string, wrongLetters: number): boolean {
  if (a === b) return true;
  const [restOfA, restOfB] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return isNear(restOfA, restOfB, wrongLetters);
  if (wrongLetters === 0) return false;
  const left = wrongLetters - 1;
  return isNear(restOfA, restOfB, left) || isNear(restOfA, b, left) || isNear(a, restOfB, left);
}
