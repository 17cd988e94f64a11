import { expect } from 'chai';
import { warnOfEtcd } from '../../lib/cluster/etcd-versions.ts';

const EXPECTED = 'expected 3.4.42, 3.5.28, 3.6.9 or newer';

describe('warnOfEtcd', () => {
  it('tells all bugs of a release in one sentence, and the releases that fix them', () => {
    expect(warnOfEtcd('3.4.23')).to.equal(
      'etcd 3.4.23 may end or confirm leases wrongly while one of its members stalls, ' +
        `may confirm a lease that has just ended, may answer with old data after a pause; ${EXPECTED}`,
    );
  });

  /** How many bugs each release has. */
  const BUG_COUNTS: readonly (readonly [string, number])[] = [
    ['3.3.27', 3],
    ['3.4.30', 3],
    ['3.4.31', 2],
    ['3.4.37', 2],
    ['3.4.38', 1],
    ['3.4.41', 1],
    ['3.4.42', 0],
    ['3.5.12', 3],
    ['3.5.13', 2],
    ['3.5.23', 1],
    ['3.5.28', 0],
    ['3.6.0-rc.2', 3],
    ['3.6.0', 2],
    ['3.6.4+git', 2],
    ['3.6.5', 1],
    ['3.6.9', 0],
    ['v3.6.10', 0],
    ['3.7.0', 0],
    ['4.0.0', 0],
  ];
  for (const [version, count] of BUG_COUNTS) {
    it(`counts the known bugs of etcd ${version} as ${count}`, () => {
      const warning = warnOfEtcd(version);
      expect(warning?.split(' may ').length ?? 1).to.equal(count + 1);
      if (count > 0) expect(warning).to.include(`etcd ${version} may`).and.include(EXPECTED);
    });
  }

  it('says so when it cannot read the version', () => {
    expect(warnOfEtcd('next')).to.equal(`etcd tells its version as "next"; ${EXPECTED}`);
  });
});
