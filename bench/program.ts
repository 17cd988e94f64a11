/** Every program here reads its arguments and prints its figures: `--short`, and options with a value, `--name=value`. */

/** A few seconds at most, to see that a program works; its figures say little. */
export const isShort: boolean = process.argv.includes('--short');

/** The value of an option; undefined when it is not given. */
export function textGiven(option: string): string | undefined {
  const start = `--${option}=`;
  return process.argv.find((argument) => argument.startsWith(start))?.slice(start.length);
}

/** The number that an option is given; undefined when it is not given. */
export function numberGiven(option: string): number | undefined {
  const text = textGiven(option);
  if (text === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`--${option} is ${JSON.stringify(text)}; expected a number`);
  return Number(text);
}

/** The value below which that share of the sorted values lies. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One line for latencies in milliseconds: the median, the 99th percentile and the greatest. */
export function describeLatencies(name: string, latenciesMs: readonly number[]): string {
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const shown = [0.5, 0.99, 1].map((share) => (quantile(sorted, share) * 1_000).toFixed(0).padStart(7));
  return `${name.padEnd(44)} p50 ${shown[0]} us  p99 ${shown[1]} us  max ${shown[2]} us`;
}

/** The middle value, or the mean of the two middle values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/** A number for people; a dash where there is none. */
export function shown(value: number, decimals = 0): string {
  return Number.isFinite(value) ? value.toFixed(decimals) : '-';
}

/** Prints rows below their headings: the first column to the left, the others to the right. */
export function printTable(headings: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  for (const row of all) {
    const cells = row.map((cell, column) => {
      const width = widths[column] as number;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    console.log(cells.join('  ').trimEnd());
  }
}
