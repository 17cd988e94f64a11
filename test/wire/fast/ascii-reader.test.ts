import { expect } from 'chai';
import fc from 'fast-check';
import { cachedText } from '../../../lib/wire/fast/ascii-reader.ts';

/** The text that the cache finds under this hash. */
function cached(text: string, hash: number): string {
  const bytes = Buffer.from(`"${text}"`);
  return cachedText(bytes, 1, bytes.length - 1, hash);
}

describe('a text from the cache', () => {
  it('is the text of its bytes, the first time and later', () => {
    for (const text of ['', 'a', 'jobs', 'a name of some length', 'x'.repeat(64), 'x'.repeat(65)]) {
      for (let time = 0; time < 3; time += 1) expect(cached(text, text.length)).to.equal(text);
    }
  });

  it('is right although other texts have the same hash', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 70 }), (any) => {
        const text = any.replace(/[^\x20-\x7e]/g, '?');
        expect(cached(text, 7)).to.equal(text);
      }),
    );
  });
});
