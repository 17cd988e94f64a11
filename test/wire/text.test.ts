import { expect } from 'chai';
import fc from 'fast-check';
import { compareEncoded, decodeText, encodedLength, encodeText } from '../../lib/wire/text.ts';
import { naiveDecode, naiveEncode } from './naive-text.ts';
import { anyBytes, anyText, validText } from './text-arbitraries.ts';

const RUNS = { numRuns: 2_000 };

describe('decodeText', () => {
  it('decodes valid UTF-8 as usual', () => {
    fc.assert(
      fc.property(validText, (text) => {
        expect(decodeText(Buffer.from(text))).to.equal(text);
      }),
      RUNS,
    );
  });

  it('keeps a byte order mark', () => {
    expect(decodeText(Buffer.from('\ufeffa'))).to.equal('\ufeffa');
    expect(decodeText(Buffer.from([0xef, 0xbb, 0xbf, 0xff]))).to.equal('\ufeff\udcff');
  });

  it('decodes each byte b that is no UTF-8 to the lone surrogate U+DC00+b', () => {
    for (let byte = 0x80; byte < 256; byte += 1) {
      expect(decodeText(Uint8Array.of(0x61, byte, 0x7a))).to.equal(`a${String.fromCharCode(0xdc00 + byte)}z`);
    }
  });

  it('escapes every byte of overlong forms, of encoded surrogates and of characters above U+10FFFF', () => {
    for (const bytes of [
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xe0, 0x9f, 0xbf],
      [0xf0, 0x8f, 0xbf, 0xbf],
      [0xed, 0xa0, 0x80],
      [0xed, 0xbf, 0xbf],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
    ]) {
      expect(decodeText(Uint8Array.from(bytes))).to.equal(String.fromCharCode(...bytes.map((byte) => 0xdc00 + byte)));
    }
  });

  it('keeps the first and the last character of each length, beside a byte that is no UTF-8', () => {
    const ends = ['\0', '\x7f', '\x80', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'];
    for (const character of ends) {
      const bytes = Buffer.from([...Buffer.from(character), 0xff]);
      expect(decodeText(bytes)).to.equal(`${character}\udcff`);
      expect(encodeText(`${character}\udcff`)).to.equal(bytes.toString('latin1'));
    }
  });

  it('escapes the bytes of a sequence that breaks off, and only these', () => {
    expect(decodeText(Uint8Array.of(0xe2, 0x82))).to.equal('\udce2\udc82');
    expect(decodeText(Uint8Array.of(0xe2, 0x82, 0x41))).to.equal('\udce2\udc82A');
    expect(decodeText(Uint8Array.of(0xf0, 0x9f, 0x98, 0xc3, 0xa9))).to.equal('\udcf0\udc9f\udc98é');
  });

  it('decodes any bytes as the naive reference does', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(decodeText(bytes)).to.equal(naiveDecode(bytes));
      }),
      RUNS,
    );
  });

  it('loses nothing: any bytes come back when the text is encoded', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect([...naiveEncode(decodeText(bytes))]).to.deep.equal([...bytes]);
      }),
      RUNS,
    );
  });
});

describe('encodedLength', () => {
  it('is the length in UTF-8 for valid text', () => {
    fc.assert(
      fc.property(validText, (text) => {
        expect(encodedLength(text)).to.equal(Buffer.byteLength(text));
      }),
      RUNS,
    );
  });

  it('is 1 for an escaped byte and 3 for any other lone surrogate', () => {
    for (let unit = 0xd800; unit <= 0xdfff; unit += 1) {
      const isEscapedByte = unit >= 0xdc80 && unit <= 0xdcff;
      expect(encodedLength(String.fromCharCode(unit)), unit.toString(16)).to.equal(isEscapedByte ? 1 : 3);
    }
  });

  it('is the number of bytes that any text is encoded to', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(encodedLength(text)).to.equal(naiveEncode(text).length);
      }),
      RUNS,
    );
  });
});

describe('compareEncoded', () => {
  /** Pairs that have much in common: only there do the hard cases arise. */
  const similar = fc
    .tuple(anyText, anyText, anyText)
    .chain(([start, a, b]) => fc.constantFrom<[string, string]>([start + a, start + b], [start, start + a], [a, b]));

  it('orders text by its encoded bytes', () => {
    fc.assert(
      fc.property(similar, ([a, b]) => {
        const byBytes = Buffer.compare(naiveEncode(a), naiveEncode(b));
        if (byBytes !== 0) expect(Math.sign(compareEncoded(a, b))).to.equal(byBytes);
      }),
      RUNS,
    );
  });

  it('puts an emoji behind the last character of three bytes, unlike the order of UTF-16', () => {
    expect(compareEncoded('😀', '\uffff')).to.be.greaterThan(0);
    expect('😀' < '\uffff').to.equal(true);
  });

  it('distinguishes texts with the same encoding', () => {
    expect(naiveEncode('\udcc3\udca9')).to.deep.equal(naiveEncode('é'));
    expect(compareEncoded('\udcc3\udca9', 'é')).to.be.greaterThan(0);
    expect(compareEncoded('é', '\udcc3\udca9')).to.be.lessThan(0);
    expect(compareEncoded('é', 'é')).to.equal(0);
  });

  it('compares a surrogate at the end of one text with the pair that the other makes of it', () => {
    expect(Math.sign(compareEncoded('\ud83d', '\ud83d\ude00'))).to.equal(
      Buffer.compare(naiveEncode('\ud83d'), naiveEncode('\ud83d\ude00')),
    );
    expect(compareEncoded('\ud83d\uffff', '\ud83d\ude00')).to.be.lessThan(0);
  });

  it('is zero only for equal texts, and changes its sign when its arguments are swapped', () => {
    fc.assert(
      fc.property(similar, ([a, b]) => {
        expect(compareEncoded(a, b) === 0).to.equal(a === b);
        expect(Math.sign(compareEncoded(a, b)) + Math.sign(compareEncoded(b, a))).to.equal(0);
      }),
      RUNS,
    );
  });

  it('is transitive', () => {
    const confusable = fc
      .array(fc.constantFrom('\udcc3', '\udca9', 'é', 'a', '\ud83d', '\ude00', '\udc80', '\uffff'), { maxLength: 3 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(confusable, confusable, confusable, (a, b, c) => {
        if (compareEncoded(a, b) <= 0 && compareEncoded(b, c) <= 0) expect(compareEncoded(a, c)).to.be.at.most(0);
      }),
      { numRuns: 8_000 },
    );
  });
});
