import { expect } from 'chai';
import { type CommandLine, LineCodec } from '../../../lib/foreign/line/line-codec.ts';
import { ProtocolError } from '../../../lib/wire/errors.ts';
import { encoded, readAll } from '../../wire/decoding.ts';

/** Lines in Latin-1, with their words and names. */
const LINES: readonly [line: string, word: string, name: string | undefined][] = [
  ['', '', undefined],
  [' \t\v\f\r', '', undefined],
  ['g', 'g', undefined],
  ['g ', 'g', undefined],
  ['g\r', 'g', undefined],
  ['g jobs', 'g', 'jobs'],
  [' g  jobs \r', 'g', 'jobs'],
  ['g a b', 'g', 'a b'],
  ['g a \t b\x0b\x0cc\rd', 'g', 'a b c d'],
  ['g\tjobs', 'g\tjobs', undefined],
  ['g\tjobs more', 'g\tjobs', 'more'],
  ['G jobs', 'G', 'jobs'],
  ['sg \xc2\xa0a\xc2\x85b\xe2\x80\x80\xe3\x80\x80', 'sg', 'a b'],
  ['g a\xe1\x9a\x80b\xe2\x80\x8ac\xe2\x80\xa8d\xe2\x80\xa9e\xe2\x80\xaff\xe2\x81\x9fg', 'g', 'a b c d e f g'],
  ['g \xe2\x80\x8b\xef\xbb\xbf', 'g', '\u200b\ufeff'],
  ['g \xff\xfe \xc3(', 'g', '\udcff\udcfe \udcc3('],
  ['g \x85\xa0', 'g', '\udc85\udca0'],
  ['g \xed\xa0\xbd', 'g', '\udced\udca0\udcbd'],
  ['g \x00\x01 \x00', 'g', '\u0000\u0001 \u0000'],
  ['g \xf0\x9f\x98\x80', 'g', '\u{1f600}'],
  ['\xc2\xa0g jobs', 'g', 'jobs'],
];

function described([, word, name]: (typeof LINES)[number]): CommandLine {
  return { word, name: name ?? '', hasName: name !== undefined };
}

describe('the line codec', () => {
  for (const line of LINES) {
    it(`reads ${JSON.stringify(line[0])}`, () => {
      const codec = new LineCodec(100);
      codec.push(Buffer.from(`${line[0]}\n`, 'latin1'));
      expect(readAll(codec)).to.deep.equal([described(line)]);
    });
  }

  it('reads all of them byte by byte, each as soon as its end has come', () => {
    const codec = new LineCodec(100);
    for (const line of LINES) {
      for (const byte of Buffer.from(line[0], 'latin1')) {
        codec.push(Uint8Array.of(byte));
        expect(readAll(codec)).to.deep.equal([]);
      }
      codec.push(Uint8Array.of(0x0a));
      expect(readAll(codec)).to.deep.equal([described(line)]);
    }
  });

  it('reads all of them at once, and the last without an end', () => {
    const codec = new LineCodec(100);
    codec.push(Buffer.from(`${LINES.map(([line]) => line).join('\n')}\ni jobs`, 'latin1'));
    expect(readAll(codec)).to.deep.equal(LINES.map(described));
    codec.end();
    expect(readAll(codec)).to.deep.equal([{ word: 'i', name: 'jobs', hasName: true }]);
  });

  it('reports a line that is too long, including white space', () => {
    const codec = new LineCodec(6);
    codec.push(Buffer.from('g jobs\n g jobs\ng\n'));
    const [first, error, ...more] = readAll(codec);
    expect(first).to.deep.equal({ word: 'g', name: 'jobs', hasName: true });
    expect(error).to.be.instanceOf(ProtocolError).and.to.include({ status: 'limit', message: 'Line Too Long' });
    expect(more).to.deep.equal([]);
  });

  it('writes names as the bytes of their input, each byte as a character', () => {
    const codec = new LineCodec(100);
    for (const [, , name] of LINES) {
      if (name === undefined) continue;
      const text = encoded(codec, { text: `1 ${name}\n` });
      const reader = new LineCodec(100);
      reader.push(Buffer.from(text, codec.encoding));
      expect(readAll(reader)).to.deep.equal([{ word: '1', name, hasName: true }]);
    }
    expect(encoded(codec, { text: '\u00e9\udcff\u{1f600}\n' })).to.equal('\xc3\xa9\xff\xf0\x9f\x98\x80\n');
  });
});
