import { expect } from 'chai';
import { Fence } from '../../lib/cluster/fence.ts';
import { thisMoment } from '../../lib/message/moment.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';

const LEASE_MS = 60_000;

function moveWallClock(byMs: number): void {
  const { now } = Date;
  Date.now = () => now() + byMs;
  whenTestEnds(() => {
    Date.now = now;
  });
}

describe('the fence of a node', () => {
  afterEach(endTest);

  function makeFence(): { readonly fence: Fence; readonly shuts: string[] } {
    const shuts: string[] = [];
    const fence = new Fence(LEASE_MS, thisMoment(), () => shuts.push('shut'));
    whenTestEnds(() => fence.shut());
    return { fence, shuts };
  }

  it('C1: is shut once the wall clock says that the lease is nearly over, as after a sleep of the machine', () => {
    const { fence, shuts } = makeFence();
    moveWallClock(LEASE_MS * 0.8);
    expect(fence.isOpen).to.equal(true);
    moveWallClock(LEASE_MS * 0.1);
    expect(fence.isOpen).to.equal(false);
    expect(shuts).to.deep.equal(['shut']);
  });

  it('C1: stays shut, whatever is answered later', () => {
    const { fence, shuts } = makeFence();
    moveWallClock(LEASE_MS);
    fence.renew(thisMoment());
    expect(fence.isOpen).to.equal(false);
    moveWallClock(-2 * LEASE_MS);
    expect(fence.isOpen).to.equal(false);
    expect(shuts).to.deep.equal(['shut']);
  });

  it('stays open when the wall clock is set back, and when the lease is renewed in time', () => {
    const { fence } = makeFence();
    moveWallClock(-LEASE_MS);
    expect(fence.isOpen).to.equal(true);
    fence.renew(thisMoment());
    moveWallClock(LEASE_MS * 0.8);
    expect(fence.isOpen).to.equal(true);
  });
});
