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
  if (given.length > MAX_LETTERS) return undefined;
  const ranked = known.map((name) => ({ name, wrongLetters: wrongLetters(given.toLowerCase(), name.toLowerCase()) }));
  const [nearest] = ranked.sort((a, b) => a.wrongLetters - b.wrongLetters);
  const isNear = nearest !== undefined && nearest.wrongLetters <= Math.min(MAX_WRONG_LETTERS, given.length / 2);
  return isNear ? nearest.name : undefined;
}

/** No name of an option has as many. */
const MAX_LETTERS = 40;

/** The number of letters to add, remove or replace to turn one name into the other: the Levenshtein distance. */
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
