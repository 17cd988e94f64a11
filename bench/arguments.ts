/** What the programs here can be told: `--short`, and options with a value, `--name=value`. */

/** A few seconds at most: whether a program works, with figures that say little. */
export const isShort: boolean = process.argv.includes('--short');

/** The value of an option; undefined when it is not given. */
export function textGiven(option: string): string | undefined {
  const start = `--${option}=`;
  return process.argv.find((argument) => argument.startsWith(start))?.slice(start.length);
}

/** The same, for a number. */
export function numberGiven(option: string): number | undefined {
  const text = textGiven(option);
  if (text === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`--${option} is ${JSON.stringify(text)}; expected a number`);
  return Number(text);
}
