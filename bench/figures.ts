/** What the programs here print: quantiles of many measurements, in microseconds. */

/** The value below which that share of the sorted values lies. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One line: the median, the 99th percentile and the greatest of measurements in milliseconds. */
export function describeLatencies(name: string, latenciesMs: readonly number[]): string {
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const shown = [0.5, 0.99, 1].map((share) => (quantile(sorted, share) * 1_000).toFixed(0).padStart(7));
  return `${name.padEnd(44)} p50 ${shown[0]} us  p99 ${shown[1]} us  max ${shown[2]} us`;
}
