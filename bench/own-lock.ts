/** What the locks of a crowd are called that no two of its connections share. */

/** The name of one connection's lock. */
export function ownLock(connection: number, index: number): string {
  return `own-${connection}-${index}`;
}
