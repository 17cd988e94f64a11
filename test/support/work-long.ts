/** Work that uses up budgets. */

/** Longer than the default budget of a turn. */
export function workLong(): void {
  const endMs = performance.now() + 2;
  while (performance.now() < endMs);
}
