import { expect } from 'chai';
import { mapResult, PendingResult } from '../../lib/message/pending-result.ts';

describe('PendingResult', () => {
  it('calls back in the turn that settles it', () => {
    const results: object[] = [];
    const pending = new PendingResult<{ number: number }>();
    pending.whenSettled((result) => results.push(result));
    expect(results).to.deep.equal([]);
    pending.settle({ number: 1 });
    expect(results).to.deep.equal([{ number: 1 }]);
  });

  it('calls back at once if it is already settled', () => {
    const results: object[] = [];
    const pending = new PendingResult<{ number: number }>();
    pending.settle({ number: 1 });
    pending.whenSettled((result) => results.push(result));
    expect(results).to.deep.equal([{ number: 1 }]);
  });

  it('is settled once', () => {
    const pending = new PendingResult();
    pending.settle({});
    expect(() => pending.settle({})).to.throw('a pending result was settled twice');
  });
});

describe('mapResult', () => {
  const convert = ({ number }: { number: number }): { text: string } => ({ text: String(number) });

  it('converts a result at once', () => {
    expect(mapResult({ number: 1 }, convert)).to.deep.equal({ text: '1' });
  });

  it('converts a later result in the turn in which it comes', () => {
    const pending = new PendingResult<{ number: number }>();
    const results: object[] = [];
    const mapped = mapResult(pending, convert);
    expect(mapped).to.be.instanceOf(PendingResult);
    (mapped as PendingResult<{ text: string }>).whenSettled((result) => results.push(result));
    pending.settle({ number: 1 });
    expect(results).to.deep.equal([{ text: '1' }]);
  });
});
