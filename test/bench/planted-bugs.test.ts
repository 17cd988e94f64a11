import { expect } from 'chai';
import { CLIENT_FAULTS, CLUSTER_FAULTS, SERVER_FAULTS } from '../../bench/chaos/faults.ts';
import { PLANTED_BUGS } from '../../bench/chaos/planted/bugs.ts';
import { changesOf, withBug } from '../../bench/chaos/planted/plant.ts';

describe('the bugs that the chaos run must notice', () => {
  it('are many, each with a name of its own', () => {
    const names = new Set(PLANTED_BUGS.map(({ name }) => name));
    expect(names.size).to.equal(PLANTED_BUGS.length).and.be.at.least(15);
  });

  for (const bug of PLANTED_BUGS) {
    it(`can be planted into what is built now: ${bug.name}`, () => {
      for (const change of changesOf(bug)) expect(withBug(change)).to.include(change.replace);
      const faults = { ...CLIENT_FAULTS, ...(bug.leaseSeconds === undefined ? SERVER_FAULTS : CLUSTER_FAULTS) };
      for (const kind of bug.only) expect(faults).to.have.property(kind);
    });
  }
});
