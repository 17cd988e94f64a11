/** Which releases of etcd have bugs that a cluster would suffer from. */

/** A release as its three numbers. */
type Release = readonly [number, number, number];

interface Bug {
  /** What etcd does, behind the word "may". */
  readonly effect: string;
  /** The first release without the bug, of each line in which it was fixed, in ascending order. Later lines never had it. */
  readonly fixedIn: readonly Release[];
}

/** By etcd's change logs and release notes. */
const BUGS: readonly Bug[] = [
  {
    // etcd-io/etcd#15247: the old leader of etcd still revokes and confirms leases.
    effect: 'end or confirm leases wrongly while one of its members stalls',
    fixedIn: [
      [3, 4, 31],
      [3, 5, 13],
      [3, 6, 0],
    ],
  },
  {
    // etcd-io/etcd#20590
    effect: 'confirm a lease that has just ended',
    fixedIn: [
      [3, 4, 38],
      [3, 5, 23],
      [3, 6, 5],
    ],
  },
  {
    // etcd-io/etcd#20418
    effect: 'answer with old data after a pause',
    fixedIn: [
      [3, 4, 42],
      [3, 5, 28],
      [3, 6, 9],
    ],
  },
];

/**
 * One sentence about the bugs of this release of etcd, which `EtcdClient.status` tells as `version`, and about the releases that fix
 * them; undefined if none is known.
 */
export function warnOfEtcd(version: string): string | undefined {
  const release = parseRelease(version);
  if (release === undefined)
    return `etcd tells its version as ${JSON.stringify(version)}; expected ${expectedReleases()}`;
  const bugs = BUGS.filter(({ fixedIn }) => !isFixed(release, fixedIn));
  if (bugs.length === 0) return undefined;
  const effects = bugs.map(({ effect }) => `may ${effect}`).join(', ');
  return `etcd ${version} ${effects}; expected ${expectedReleases()}`;
}

/** A release candidate counts as the release before, since nobody knows which fixes it has. */
function parseRelease(version: string): Release | undefined {
  const [, major, minor, patch, candidate] = /^v?(\d+)\.(\d+)\.(\d+)(-(?:alpha|beta|rc|pre)\b)?/.exec(version) ?? [];
  if (major === undefined) return undefined;
  return [Number(major), Number(minor), Number(patch) - (candidate === undefined ? 0 : 1)];
}

function isFixed(release: Release, fixedIn: readonly Release[]): boolean {
  const ofLine = fixedIn.find((fixed) => compareLines(release, fixed) === 0);
  if (ofLine !== undefined) return release[2] >= ofLine[2];
  return fixedIn.every((fixed) => compareLines(release, fixed) > 0);
}

/** Negative where the first is of an earlier line: 3.4 is before 3.5. */
function compareLines([major, minor]: Release, [otherMajor, otherMinor]: Release): number {
  return major - otherMajor || minor - otherMinor;
}

/** The releases that have all fixes: the greatest of each line. */
function expectedReleases(): string {
  const latest = new Map<string, string>();
  for (const release of BUGS.flatMap(({ fixedIn }) => fixedIn)) {
    latest.set(release.slice(0, 2).join('.'), release.join('.'));
  }
  return `${[...latest.values()].join(', ')} or newer`;
}
