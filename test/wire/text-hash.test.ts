import { expect } from 'chai';
import fc from 'fast-check';
import { cachedText, FIRST_PLACE, placeOn } from '../../lib/wire/text-cache.ts';
import { hashBytes, hashText } from '../../lib/wire/text-hash.ts';
import { anyText } from './text-arbitraries.ts';

const MANY = 5_000;

function namesFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, offset) => `name-${first + offset}`);
}

/** The same text, but another object, and not the one that was asked for last. */
function hashOfCopy(text: string): number {
  hashText(`${text}!`);
  return hashText(`${text} `.slice(0, -1));
}

function cached(text: string): string {
  const bytes = Buffer.from(`"${text}"`);
  let place = FIRST_PLACE;
  for (const byte of bytes.subarray(1, -1)) place = placeOn(place, byte);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return cachedText(bytes, words, 1, bytes.length - 1, place);
}

describe('hashText', () => {
  it('is the same for equal names and spreads names that differ in any one character', () => {
    const names = new Set([
      ...namesFrom(0, MANY),
      ...namesFrom(0, MANY).map((name) => `${'x'.repeat(100)}${name}-end`),
      ...namesFrom(0, MANY).map((name) => `${name}é`),
    ]);
    for (let length = 0; length < 100; length += 1) names.add('a'.repeat(length)).add(`b${'a'.repeat(length)}`);
    const hashes = new Map([...names].map((name) => [name, hashText(name)]));
    for (const [name, value] of hashes) expect(hashOfCopy(name)).to.equal(value);
    // Among 15,000 numbers of 31 bits there are 0.05 pairs of equal ones by chance.
    expect(new Set(hashes.values()).size).to.be.at.least(names.size - 3);
    const buckets = new Set([...hashes.values()].map((value) => value & 1_023));
    expect(buckets.size).to.be.at.least(1_000);
  });

  it('is a whole number from 0 to below 2^31, the same for equal texts of whatever characters', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const hash = hashText(text);
        expect(hash).to.equal(hash & 0x7fffffff);
        expect(hashOfCopy(text)).to.equal(hash);
      }),
    );
  });

  it('tells a text beyond ASCII from the text of its bytes', () => {
    expect(hashText('\u6261')).to.not.equal(hashText('ab'));
  });

  it('is right for long texts, and for short ones after them', () => {
    const long = 'ab'.repeat(100_000);
    const hash = hashText(long);
    expect(hashOfCopy(long)).to.equal(hash);
    expect(hashText('ab')).to.equal(hashBytes(Buffer.from('xabx'), 1, 3));
  });
});

describe('a text from the cache', () => {
  it('has the hash that it has by itself', () => {
    for (const text of ['', 'a', 'jobs', 'a name of some length', 'x'.repeat(64), 'x'.repeat(65)]) {
      for (let time = 0; time < 3; time += 1) {
        expect(cached(text)).to.equal(text);
        const hash = hashText(text);
        expect(hashOfCopy(text), text).to.equal(hash);
      }
    }
  });

  it('is right whatever was remembered in its place before', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 70 }), (any) => {
        const text = any.replace(/[^\x20-\x7e]/g, '?');
        expect(cached(text)).to.equal(text);
        expect(hashText(text)).to.equal(hashOfCopy(text));
      }),
    );
    for (const text of ['Aa', 'BB', 'Aa', 'AaAa', 'AaBB', 'BBAa', 'BBBB', 'AaAa']) {
      expect(cached(text)).to.equal(text);
      expect(hashText(text)).to.equal(hashOfCopy(text));
    }
  });
});
