import { expect } from 'chai';
import fc from 'fast-check';
import { ClientCodec } from '../../lib/wire/client-codec.ts';
import type { Codec } from '../../lib/wire/codec.ts';
import { ProtocolError, RequestError } from '../../lib/wire/errors.ts';
import { ServerCodec } from '../../lib/wire/server-codec.ts';
import { cutAt, readAll, singleBytes } from './decoding.ts';
import { anyText } from './text-arbitraries.ts';

const PLENTY = 1_000_000;

/** Writes every character of every string as an escape, surrogates one by one. */
function asEscapes(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const value = fc.anything({
  values: [anyText, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null), fc.integer()],
  key: anyText,
  maxDepth: 3,
});
const line = fc
  .tuple(value, fc.boolean(), fc.constantFrom('\n', '\r\n', '\n\n', '\r\n \t\r\n', ' \n'))
  .map(([content, isEscaped, ending]) => {
    const json = JSON.stringify(content);
    return { json, bytes: Buffer.from((isEscaped ? asEscapes(json) : json) + ending) };
  });
const someLines = fc.array(line, { maxLength: 6 }).map((lines) => {
  const expected = lines.map(({ json }) => JSON.parse(json) as unknown);
  return { bytes: Buffer.concat(lines.map(({ bytes }) => bytes)), expected };
});
const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 });

for (const Codec of [ClientCodec, ServerCodec]) {
  /** Reads after each piece. All pieces come in one buffer, which is overwritten each time. */
  const decodePieces = (pieces: readonly Uint8Array[], codec = new Codec(PLENTY)): unknown[] => {
    const buffer = Buffer.alloc(65_536, '\n');
    return pieces.flatMap((piece) => {
      buffer.set(piece);
      codec.push(buffer, piece.length);
      const messages = readAll(codec);
      (codec as Codec).keep?.();
      buffer.fill('\n');
      return messages;
    });
  };
  /** Reads all of a text, and the rest when no more comes. */
  const decode = (text: string | Uint8Array, codec = new Codec(PLENTY)): unknown[] => {
    codec.push(Buffer.from(text));
    const messages = readAll(codec);
    codec.end();
    return [...messages, ...readAll(codec)];
  };

  describe(`${Codec.name} reading messages`, () => {
    it('finds the same messages wherever the bytes are cut', () => {
      fc.assert(
        fc.property(someLines, places, ({ bytes, expected }, cuts) => {
          expect(decodePieces(cutAt(bytes, cuts))).to.deep.equal(expected);
        }),
        { numRuns: 1_000 },
      );
    });

    it('finds the same ones byte by byte', () => {
      fc.assert(
        fc.property(someLines, ({ bytes, expected }) => {
          expect(decodePieces(singleBytes(bytes))).to.deep.equal(expected);
        }),
        { numRuns: 300 },
      );
    });

    it('finds the same ones when all bytes are there before the first is asked for', () => {
      fc.assert(
        fc.property(someLines, places, ({ bytes, expected }, cuts) => {
          const codec = new Codec(PLENTY);
          for (const piece of cutAt(bytes, cuts)) codec.push(piece);
          expect(readAll(codec)).to.deep.equal(expected);
        }),
        { numRuns: 300 },
      );
    });

    it('reads a multi-byte character and an escape cut at every place', () => {
      const bytes = Buffer.from(`{"name":"é€😀\\ud83d\\ude00\\n"}\n{"next":1}\n`);
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        const messages = decodePieces([bytes.subarray(0, cut), bytes.subarray(cut)]);
        expect(messages, `cut at ${cut}`).to.deep.equal([{ name: 'é€😀😀\n' }, { next: 1 }]);
      }
    });

    it('reads many messages in one piece, and one message in thousands', () => {
      const numbers = [...Array(10_000).keys()];
      expect(decode(numbers.map((number) => `${number}\n`).join(''))).to.deep.equal(numbers);
      const text = 'é😀'.repeat(3_000);
      const bytes = Buffer.from(`1\n${JSON.stringify(text)}\n2\n`);
      expect(decodePieces(singleBytes(bytes))).to.deep.equal([1, text, 2]);
    });

    it('reads any JSON value', () => {
      expect(decode('null\nfalse\n0\n""\n[]\n"\u2028"\n')).to.deep.equal([null, false, 0, '', [], '\u2028']);
    });

    it('takes lines that end in CRLF and skips blank ones', () => {
      expect(decode('\r\n\n{"a":1}\r\n  \r\n\t\n{"b":2}\n\n')).to.deep.equal([{ a: 1 }, { b: 2 }]);
      expect(decode('1\n \r')).to.deep.equal([1]);
      expect(decode('')).to.deep.equal([]);
    });

    it('takes a last line without a newline when no more bytes come', () => {
      const codec = new Codec(PLENTY);
      expect(decodePieces([Buffer.from('{"a":1}\n{"b"'), Buffer.from(':2}')], codec)).to.deep.equal([{ a: 1 }]);
      codec.end();
      expect(readAll(codec)).to.deep.equal([{ b: 2 }]);
    });

    it('explains the mistake in a line that is not JSON, and goes on with the next line', () => {
      for (const wrong of ['{"a":}', '{', 'nonsense', "{'a':1}", '{"a":1}{"b":2}', '"', '\ufeff{}', 'NaN', '\u0000']) {
        const [error, next, ...more] = decode(`${wrong}\n{"fine":true}\n`);
        expect(error, wrong).to.be.instanceOf(RequestError).with.property('status', 'invalid');
        expect((error as RequestError).message, wrong).to.match(/^not JSON: ./);
        expect(next, wrong).to.deep.equal({ fine: true });
        expect(more, wrong).to.deep.equal([]);
      }
      const [error, ...more] = decode('{"a":1');
      expect(error).to.be.instanceOf(RequestError);
      expect(more).to.deep.equal([]);
    });

    it('copies the beginning of a message', () => {
      const codec = new Codec(PLENTY);
      const shared = Buffer.from('{"name":"first');
      codec.push(shared);
      expect(readAll(codec)).to.deep.equal([]);
      shared.fill('#');
      expect(decode('"}\n', codec)).to.deep.equal([{ name: 'first' }]);
    });
  });

  describe(`${Codec.name} at maxMessageBytes`, () => {
    const MAX = 10;

    const expectTooLong = (messages: readonly unknown[]): void => {
      expect(messages).to.have.lengthOf(1);
      expect(messages[0])
        .to.be.instanceOf(ProtocolError)
        .and.include({
          status: 'limit',
          message: `a message is longer than maxMessageBytes, ${MAX}`,
        });
    };
    const decodeShort = (text: string): unknown[] => decode(text, new Codec(MAX));

    it('takes a line of just as many bytes and breaks off at one more', () => {
      expect(decodeShort('"12345678"\n')).to.deep.equal(['12345678']);
      expectTooLong(decodeShort('"123456789"\n'));
    });

    it('counts bytes, not characters', () => {
      expect(decodeShort('"éééé"\n')).to.deep.equal(['éééé']);
      expectTooLong(decodeShort('"ééééé"\n'));
    });

    it('counts each line by itself', () => {
      const lines = Array.from({ length: 100 }, (_, index) => 10_000_000 + index);
      expect(decodeShort(lines.join('\n'))).to.deep.equal(lines);
    });

    it('breaks off an endless line at the first byte that is too many', () => {
      const codec = new Codec(MAX);
      for (let count = 1; count <= MAX; count += 1) {
        codec.push(Uint8Array.of(0x20));
        expect(codec.next(), `byte ${count}`).to.equal(undefined);
      }
      codec.push(Uint8Array.of(0x20));
      expectTooLong(readAll(codec));
      expect(decode('6]\n1\n', codec)).to.deep.equal([]);
    });

    it('reads the messages before the line that is too long and nothing after it', () => {
      const codec = new Codec(MAX);
      const [first, ...rest] = decodePieces([Buffer.from(`1\n${'2'.repeat(MAX + 1)}\n3\n`)], codec);
      expect(first).to.equal(1);
      expectTooLong(rest);
      expect(decode('4\n5\n', codec)).to.deep.equal([]);
    });

    it('breaks off at the same line wherever the bytes are cut', () => {
      const lengths = fc.array(fc.integer({ min: 1, max: MAX + 2 }), { minLength: 1, maxLength: 8 });
      fc.assert(
        fc.property(lengths, places, fc.boolean(), (counts, cuts, hasLastNewline) => {
          const lines = counts.map((count) => '7'.repeat(count));
          const bytes = Buffer.from(lines.join('\n') + (hasLastNewline ? '\n' : ''));
          const tooLong = counts.findIndex((count) => count > MAX);
          const codec = new Codec(MAX);
          const messages = [...decodePieces(cutAt(bytes, cuts), codec), ...decode('', codec)];
          if (tooLong !== -1) expectTooLong(messages.splice(-1));
          expect(messages).to.deep.equal(lines.slice(0, tooLong === -1 ? lines.length : tooLong).map(Number));
        }),
        { numRuns: 1_000 },
      );
    });
  });
}
