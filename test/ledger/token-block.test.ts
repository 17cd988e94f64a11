import { setImmediate as immediate } from 'node:timers/promises';
import { expect } from 'chai';
import { TokenBlock } from '../../lib/ledger/token-block.ts';
import { errorOf } from '../support/rejection.ts';

describe('a block of tokens', () => {
  /** The reservations that were asked for, with what confirms them. */
  let asked: { readonly upTo: number; readonly confirm: () => void }[];

  beforeEach(() => {
    asked = [];
  });

  /** Tokens 101 to 110, reserved ten ahead. */
  function makeBlock(): TokenBlock {
    return new TokenBlock({
      begin: 100,
      reserved: 110,
      size: 10,
      reserve: (upTo) => new Promise((confirm) => asked.push({ upTo, confirm })),
    });
  }

  function takeUpTo(block: TokenBlock, last: number): void {
    while (block.last < last) block.next();
  }

  /** Confirms the oldest reservation and waits until it counts. */
  async function confirm(): Promise<void> {
    asked.shift()?.confirm();
    await immediate();
  }

  it('gives tokens that grow by one, the first above the beginning', () => {
    const block = makeBlock();
    expect([block.last, block.next(), block.next(), block.last]).to.deep.equal([100, 101, 102, 102]);
    expect(block.begin).to.equal(100);
  });

  it('L1: gives no token beyond the reservation until a greater one is confirmed', async () => {
    const block = makeBlock();
    takeUpTo(block, 110);
    expect(block.has(1)).to.equal(false);
    expect(() => block.next()).to.throw(RangeError, '110');
    await immediate();
    expect(block.has(1)).to.equal(false);
    await confirm();
    expect(block.has(1)).to.equal(true);
    expect(block.next()).to.equal(111);
  });

  it('L1: reserves more when half of the block is used, once', async () => {
    const block = makeBlock();
    takeUpTo(block, 104);
    await immediate();
    expect(asked).to.deep.equal([]);
    takeUpTo(block, 107);
    await immediate();
    expect(asked.map(({ upTo }) => upTo)).to.deep.equal([115]);
    await confirm();
    expect(block.has(8)).to.equal(true);
    expect(block.has(9)).to.equal(false);
  });

  it('tells when there are tokens again, and only if somebody had to wait', async () => {
    const block = makeBlock();
    let refills = 0;
    block.onRefill(() => {
      refills += 1;
    });
    takeUpTo(block, 105);
    await immediate();
    await confirm();
    expect(refills).to.equal(0);
    takeUpTo(block, 115);
    expect(block.has(1)).to.equal(false);
    await immediate();
    await confirm();
    expect(refills).to.equal(1);
    expect(block.has(5)).to.equal(true);
  });

  it('reserves as many as are asked for at once, however small the block is', async () => {
    const block = makeBlock();
    expect(block.has(25)).to.equal(false);
    await immediate();
    await confirm();
    expect(block.has(25)).to.equal(true);
  });

  it('L1: raises the reservation first when a claim is above it', async () => {
    const block = makeBlock();
    const raised = block.raiseTo(200);
    await immediate();
    expect(asked.map(({ upTo }) => upTo)).to.deep.equal([210]);
    expect(block.last).to.equal(100);
    await confirm();
    await raised;
    expect(block.next()).to.equal(201);
  });

  it('jumps to a claim within the reservation without another one', async () => {
    const block = makeBlock();
    await block.raiseTo(103);
    expect(block.next()).to.equal(104);
    await block.raiseTo(102);
    expect(block.next()).to.equal(105);
    expect(asked.length).to.be.at.most(1);
  });

  it('L1: refuses a claim that no run can have been given', async () => {
    const block = makeBlock();
    const error = await errorOf(block.raiseTo(Number.MAX_SAFE_INTEGER));
    expect(error).to.be.an.instanceOf(RangeError);
    await errorOf(block.raiseTo(101 + 2 ** 40));
    expect(block.next()).to.equal(101);
    expect(asked).to.deep.equal([]);
    void block.raiseTo(100 + 2 ** 40);
    await immediate();
    expect(asked).to.have.length(1);
  });

  it('makes one reservation at a time, each greater than the one before', async () => {
    const block = makeBlock();
    const raised = [block.raiseTo(500), block.raiseTo(300)];
    await immediate();
    expect(asked.map(({ upTo }) => upTo)).to.deep.equal([510]);
    await confirm();
    await Promise.all(raised);
    expect(asked).to.deep.equal([]);
    expect(block.next()).to.equal(501);
  });
});
