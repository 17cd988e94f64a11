import { expect } from 'chai';
import fc from 'fast-check';
import { PrefixedCodec } from '../../../lib/foreign/prefixed/prefixed-codec.ts';
import { ProtocolError, RequestError } from '../../../lib/wire/errors.ts';
import { frame } from '../../protocols/prefixed-client.ts';
import { encoded, readAll } from '../../wire/decoding.ts';

describe('the length-prefixed codec', () => {
  it('reads JSON of every kind', () => {
    const codec = new PrefixedCodec(100);
    const values = [{ command: 'lock' }, [], 'text', '', 0, -1.5, true, false, null, { a: { b: [1] } }];
    codec.push(Buffer.concat(values.map((value) => frame(JSON.stringify(value)))));
    expect(readAll(codec)).to.deep.equal(values);
  });

  it('reads a frame byte by byte, as soon as its last byte has come', () => {
    const codec = new PrefixedCodec(100);
    for (let time = 0; time < 3; time += 1) {
      const bytes = frame('{"name":"\u00e9"}');
      for (const byte of bytes.subarray(0, -1)) {
        codec.push(Uint8Array.of(byte));
        expect(readAll(codec)).to.deep.equal([]);
      }
      codec.push(bytes.subarray(-1));
      expect(readAll(codec)).to.deep.equal([{ name: '\u00e9' }]);
    }
  });

  it('reads the same messages wherever the bytes are cut', () => {
    const values = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.jsonValue()), { maxLength: 5 });
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(values, sizes, fc.boolean(), (messages, pieces, readsBetween) => {
        const codec = new PrefixedCodec(1_000_000);
        const bytes = Buffer.concat(messages.map((message) => frame(JSON.stringify(message))));
        const read: unknown[] = [];
        for (let start = 0, turn = 0; start < bytes.length; turn += 1) {
          const size = pieces[turn % pieces.length] as number;
          codec.push(bytes.subarray(start, start + size));
          start += size;
          if (readsBetween) read.push(...readAll(codec));
        }
        read.push(...readAll(codec));
        expect(read).to.deep.equal(messages.map((message) => JSON.parse(JSON.stringify(message))));
      }),
    );
  });

  it('keeps the bytes of texts that are no UTF-8', () => {
    const codec = new PrefixedCodec(100);
    codec.push(frame(Buffer.from('"a\xff\xc3("', 'latin1')));
    expect(readAll(codec)).to.deep.equal(['a\udcff\udcc3(']);
  });

  it('tells of a frame that is no JSON, the empty one too, and reads on', () => {
    const codec = new PrefixedCodec(100);
    for (const text of ['', ' ', '{', '}', 'lock', '{"a":1}{"a":1}', '\0']) {
      codec.push(Buffer.concat([frame(text), frame('1')]));
      const [error, ...more] = readAll(codec);
      expect(error, text).to.be.instanceOf(RequestError).and.to.have.property('status', 'invalid');
      expect(more).to.deep.equal([1]);
    }
  });

  it('reads a frame of exactly the longest length', () => {
    const codec = new PrefixedCodec(5);
    codec.push(frame('"123"'));
    expect(readAll(codec)).to.deep.equal(['123']);
  });

  for (const length of [6, 255, 65_536, 0x7fffffff, 0x80000000, 0xffffffff]) {
    it(`tells of a frame of ${length} bytes once its prefix is there, and reads nothing behind it`, () => {
      const codec = new PrefixedCodec(5);
      const prefix = Buffer.alloc(4);
      prefix.writeUInt32BE(length);
      codec.push(Buffer.concat([frame('1'), prefix.subarray(0, 3)]));
      expect(readAll(codec)).to.deep.equal([1]);
      codec.push(Buffer.concat([prefix.subarray(3), frame('2')]));
      const [error, ...more] = readAll(codec);
      const message = `a message of ${length} bytes is longer than maxMessageBytes, 5`;
      expect(error).to.be.instanceOf(ProtocolError).and.to.include({ status: 'limit', message });
      expect(more).to.deep.equal([]);
      codec.push(frame('3'));
      codec.end();
      expect(readAll(codec)).to.deep.equal([]);
    });
  }

  it('reads nothing of a frame that does not end', () => {
    for (const left of [1, 4, 5, 8]) {
      const codec = new PrefixedCodec(100);
      codec.push(frame('"12345"').subarray(0, left));
      codec.end();
      expect(readAll(codec)).to.deep.equal([]);
    }
  });

  it('writes the length of the message in four bytes before it, and ASCII only', () => {
    const codec = new PrefixedCodec(100);
    expect(encoded(codec, { id: 0 })).to.equal('\0\0\0\x08{"id":0}');
    expect(encoded(codec, { a: '\u00e9\u007f\udcff\u{1f600}\uffff' })).to.equal(
      '\0\0\0\x2c{"a":"\\u00e9\\u007f\\udcff\\ud83d\\ude00\\uffff"}',
    );
    const long = encoded(codec, { a: 'x'.repeat(66_000) });
    expect([...Buffer.from(long.slice(0, 4), codec.encoding)]).to.deep.equal([0, 1, 1, 0xd8]);
    expect(long).to.have.length(4 + 66_008);
  });

  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (message) => {
        const codec = new PrefixedCodec(1_000_000);
        codec.push(Buffer.from(encoded(codec, message), codec.encoding));
        expect(readAll(codec)).to.deep.equal([JSON.parse(JSON.stringify(message))]);
      }),
    );
  });
});
