/** Groups of lock names, which stand for their locks where a label for each name would be too many. */

/** Names that fit `match`, in which `*` stands for any text. */
export interface NameGroup {
  readonly match: string;
  readonly name: string;
}

/** Returns the group of a name: the first that fits. Undefined when there are no groups at all. */
export function groupFinder(groups: readonly NameGroup[]): ((name: string) => string | undefined) | undefined {
  if (groups.length === 0) return undefined;
  const matchers = groups.map(({ match, name }) => ({ fits: matcherOf(match), name }));
  return (lockName) => matchers.find(({ fits }) => fits(lockName))?.name;
}

/** Takes the parts between the stars in turn, so its time is bounded by the length of the name for each part. */
function matcherOf(match: string): (name: string) => boolean {
  const [first = '', ...rest] = match.split('*');
  const last = rest.pop();
  if (last === undefined) return (name) => name === match;
  const leastLength = match.length - rest.length - 1;
  return (name) => {
    if (name.length < leastLength || !name.startsWith(first) || !name.endsWith(last)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = name.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= name.length - last.length;
  };
}
