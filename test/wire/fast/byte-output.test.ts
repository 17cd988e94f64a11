import { expect } from 'chai';
import fc from 'fast-check';
import { phrase } from '../../../lib/wire/fast/ascii-reader.ts';
import { ByteOutput } from '../../../lib/wire/fast/byte-output.ts';

const MORE_THAN_FITS = 100_000;

function put(output: ByteOutput, head: string, text: string): void {
  output.put(phrase(head));
  output.putAscii(`${text}\n`);
}

describe('byte output', () => {
  it('writes whole numbers as they are printed', () => {
    const numbers = fc.oneof(
      fc.maxSafeNat(),
      fc.nat(),
      fc.nat({ max: 1_000 }),
      fc.integer({ min: 999_999_990, max: 1_000_000_010 }),
      fc.integer({ min: 0, max: 9_007_199 }).map((high) => high * 1e9),
      fc.constantFrom(0, 9, 10, 99, 100, 999_999_999, 1e9, 2 ** 31, 2 ** 32, 1e15, 2 ** 53 - 1),
    );
    fc.assert(
      fc.property(fc.array(numbers), (given) => {
        const output = new ByteOutput();
        for (const number of given) output.putInteger(number);
        expect(output.length).to.equal(given.join('').length);
        expect(output.take()).to.equal(given.join(''));
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps apart what several connections send by turns, in order', () => {
    const step = fc.record({
      who: fc.nat({ max: 2 }),
      head: fc.string({ maxLength: 9, unit: fc.constantFrom('a', 'b', ' ') }),
      text: fc.string({ maxLength: 5, unit: fc.constantFrom('x', 'y') }),
      how: fc.constantFrom('put', 'add', 'take'),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const outputs = [new ByteOutput(), new ByteOutput(), new ByteOutput()];
        const expected = ['', '', ''];
        for (const { who, head, text, how } of steps) {
          const output = outputs[who] as ByteOutput;
          if (how === 'take') {
            expect(output.take()).to.equal(expected[who]);
            expected[who] = '';
          } else {
            if (how === 'put') put(output, head, text);
            else output.add(`${head}${text}\n`);
            expected[who] += `${head}${text}\n`;
          }
          expect(output.length).to.equal((expected[who] as string).length);
        }
        expect(outputs.map((output) => output.take())).to.deep.equal(expected);
      }),
    );
  });

  it('takes more than a buffer holds', () => {
    const output = new ByteOutput();
    let expected = '';
    for (let index = 0; expected.length < MORE_THAN_FITS; index += 1) {
      put(output, 'number ', String(index));
      expected += `number ${index}\n`;
    }
    expect(output.take()).to.equal(expected);
    expect(output.take()).to.equal('');
  });
});
