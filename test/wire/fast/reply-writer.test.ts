import { expect } from 'chai';
import fc from 'fast-check';
import { writeReply } from '../../../lib/wire/fast/reply-writer.ts';
import { anyText } from '../text-arbitraries.ts';

interface Message {
  readonly id: number | string;
  readonly result: object;
}

function granted(token: number, count: number): object {
  return { status: 'ok', token, count };
}

function expectAgreement(message: Message): void {
  const written = writeReply(message);
  if (written !== undefined) expect(written).to.equal(`${JSON.stringify(message)}\n`);
}

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.integer({ min: 999_999_990, max: 1_000_000_010 }),
  fc.integer({ min: 0, max: 9_007_199 }).map((high) => high * 1e9),
  fc.integer({ min: 1_763_650_000_000_000, max: 1_763_650_000_100_000 }),
  fc.constantFrom(0, -0, 1e9, -1e9, 1e15, 2 ** 53 - 1, 2 ** 53, 1e21, Number.NaN, Number.POSITIVE_INFINITY),
);
const text = fc.oneof(fc.string(), anyText, fc.string({ minLength: 60, maxLength: 70 }));
const scalar = fc.oneof(number, text, fc.boolean(), fc.constantFrom(null, undefined));
const key = fc.oneof(
  fc.constantFrom('status', 'token', 'count', 'alreadyHeld', 'id', '1', '__proto__', 'toJSON'),
  text,
);
const flat = fc.dictionary(key, scalar, { maxKeys: 5, noNullPrototype: true });
const statusFirst = fc
  .record({ status: fc.constantFrom('ok', 'notHeld', 'timeout', 'other'), token: number, count: number, more: flat })
  .map(({ more, ...result }) => ({ ...result, ...more }));
const anyGranted = fc.tuple(number, number).map(([token, count]) => granted(token, count));
const anyReleased = number.map((count) => ({ status: 'ok', count }));

describe('writeReply', () => {
  it('writes the most common answers', () => {
    for (const message of [
      { id: 7, result: granted(1_763_650_000_000_001, 1) },
      { id: 'seven', result: granted(2 ** 53 - 1, 2) },
      { id: 0, result: { status: 'notHeld' } },
      { id: 2 ** 53 - 1, result: { status: 'ok', count: 0 } },
      { id: 10, result: { status: 'ok', count: 12 } },
    ]) {
      expect(writeReply(message)).to.equal(`${JSON.stringify(message)}\n`);
    }
  });

  it('writes whole numbers as they are printed', () => {
    const numbers = fc.oneof(
      fc.maxSafeNat(),
      fc.nat(),
      fc.nat({ max: 1_000 }),
      fc.integer({ min: 1, max: 9_007_199_254_740 }).map((high) => high * 1e3 - 1),
      fc.constantFrom(0, 9, 10, 99, 100, 999, 1_000, 999_999, 1e6, 999_999_999, 1e9, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
    );
    fc.assert(
      fc.property(numbers, (id) => {
        expect(writeReply({ id, result: { status: 'ok' } })).to.equal(`{"id":${id},"result":{"status":"ok"}}\n`);
      }),
      { numRuns: 2_000 },
    );
  });

  it('writes tokens that differ in their billions, one after the other', () => {
    for (const token of [1_763_650_000_000_001, 5_000_000_000, 1_763_650_999_999_999, 1_763_651_000_000_000, 7]) {
      const message = { id: 1, result: granted(token, 1) };
      expect(writeReply(message)).to.equal(`${JSON.stringify(message)}\n`);
    }
  });

  it('never differs from JSON.stringify', () => {
    fc.assert(
      fc.property(fc.oneof(number, text), fc.oneof(flat, statusFirst, anyGranted, anyReleased), (id, result) => {
        expectAgreement({ id, result });
      }),
      { numRuns: 5_000 },
    );
  });

  it('never differs from JSON.stringify, for any result of a handler', () => {
    fc.assert(
      fc.property(fc.object({ withBigInt: false, withDate: true, withMap: true }), (result) =>
        expectAgreement({ id: 1, result }),
      ),
      { numRuns: 2_000 },
    );
  });

  it('leaves to JSON.stringify values with a toJSON, values that inherit, and all that is not common', () => {
    const inherits = Object.assign(Object.create({ count: 1 }), { status: 'ok' }) as object;
    for (const result of [
      { status: 'ok', toJSON: () => 1 },
      new Date(0),
      inherits,
      [1],
      { status: 'é' },
      { é: 1 },
      {},
    ]) {
      expect(writeReply({ id: 1, result })).to.equal(undefined);
    }
    const hidden = Object.defineProperty({ status: 'ok' }, 'toJSON', { value: () => 1 });
    expect(writeReply({ id: 1, result: hidden })).to.equal(undefined);
    const unseen = Object.defineProperty({}, 'status', { value: 'ok' });
    expect(writeReply({ id: 1, result: unseen })).to.equal(undefined);
    expect(writeReply({ id: 1, result: granted(-1, 1) })).to.equal(undefined);
    expect(writeReply({ id: 1, result: { status: 'ok', count: 0.5 } })).to.equal(undefined);
    expect(writeReply({ id: 1, result: { status: 'ok' }, more: 1 })).to.equal(undefined);
    expect(writeReply({ id: 1, error: { status: 'ok' } })).to.equal(undefined);
    expect(writeReply({ id: 'é', result: { status: 'ok' } })).to.equal(undefined);
    expect(writeReply({ id: 1, result: { status: 'ok', count: {} } })).to.equal(undefined);
    expect(writeReply({ id: 1, result: { count: 1, status: 'ok' } })).to.equal(undefined);
  });
});
