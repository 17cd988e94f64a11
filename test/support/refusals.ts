/** Refusals in the statistics of a server. */

/** The counts of all reasons that occurred. */
export function refusalsOf(statistics: object): Readonly<Record<string, number>> {
  const { refusals } = statistics as { readonly refusals: Readonly<Record<string, number>> };
  return Object.fromEntries(Object.entries(refusals).filter(([, count]) => count > 0));
}
