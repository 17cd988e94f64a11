/** What a server has refused, as its statistics tell. */

/** The reasons that there were, with their counts. */
export function refusalsOf(statistics: object): Readonly<Record<string, number>> {
  const { refusals } = statistics as { readonly refusals: Readonly<Record<string, number>> };
  return Object.fromEntries(Object.entries(refusals).filter(([, count]) => count > 0));
}
