import { expect } from 'chai';
import fc from 'fast-check';
import { ClientCodec } from '../../lib/wire/client-codec.ts';
import { ProtocolError, RequestError } from '../../lib/wire/errors.ts';
import { bytesKeptBy } from '../support/garbage.ts';
import { cutAt, readAll, singleBytes } from './decoding.ts';

const PLENTY = 1_000_000;

/** What the codec gives out after each piece. All of them come in one buffer, which is overwritten each time. */
function decodeAll(codec: ClientCodec, pieces: readonly Uint8Array[]): unknown[] {
  const buffer = Buffer.alloc(65_536, '\n');
  return pieces.flatMap((piece) => {
    buffer.set(piece);
    codec.push(buffer, piece.length);
    buffer.fill('\n');
    return readAll(codec);
  });
}

function decode(text: string | Uint8Array): unknown[] {
  const codec = new ClientCodec(PLENTY);
  codec.push(Buffer.from(text));
  return readAll(codec);
}

/** How many bytes each of some codecs keeps when it was used. */
function measureKept(codecCount: number, use: (codec: ClientCodec) => void): number {
  const codecs = Array.from({ length: codecCount }, () => new ClientCodec(PLENTY));
  const bytesKept = bytesKeptBy(() => codecs.forEach(use));
  for (const codec of codecs) expect(codec.next()).to.equal(undefined);
  return bytesKept / codecCount;
}

const line = fc
  .tuple(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constantFrom('\n', '\r\n', '\n\n', ' \t\r\n\n'))
  .map(([value, text, ending]) => ({ json: JSON.stringify([value, text]), ending }));
const lines = fc.array(line, { maxLength: 6 });
const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 });

describe('ClientCodec', () => {
  it('gives the same messages however the bytes are cut', () => {
    fc.assert(
      fc.property(lines, places, (all, cuts) => {
        const bytes = Buffer.from(all.map(({ json, ending }) => json + ending).join(''));
        const expected = all.map(({ json }) => JSON.parse(json) as unknown);
        expect(decodeAll(new ClientCodec(PLENTY), cutAt(bytes, cuts))).to.deep.equal(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives the same messages byte by byte', () => {
    const text = '{"a":"é😀"}\n\n[1]\r\n"\u2028"\n';
    expect(decodeAll(new ClientCodec(PLENTY), singleBytes(Buffer.from(text)))).to.deep.equal([
      { a: 'é😀' },
      [1],
      '\u2028',
    ]);
  });

  it('gives out what is left over at the end as a message', () => {
    const codec = new ClientCodec(PLENTY);
    expect(decodeAll(codec, [Buffer.from('{"a":1}\n{"b"'), Buffer.from(':2}')])).to.deep.equal([{ a: 1 }]);
    codec.end();
    expect(readAll(codec)).to.deep.equal([{ b: 2 }]);
  });

  it('gives out nothing more at the end when nothing is left over', () => {
    const codec = new ClientCodec(PLENTY);
    codec.push(Buffer.from('1\n \t'));
    codec.end();
    expect(readAll(codec)).to.deep.equal([1]);
  });

  it('takes bytes that are no UTF-8 for U+FFFD, also where they are cut off', () => {
    expect(decode(Buffer.from([0x22, 0xff, 0x22, 0x0a]))).to.deep.equal(['\ufffd']);
    expect(
      decodeAll(new ClientCodec(PLENTY), [Uint8Array.of(0x22, 0xf0, 0x9f), Uint8Array.of(0x22, 0x0a)]),
    ).to.deep.equal(['\ufffd']);
  });

  it('does not take a byte order mark for nothing', () => {
    expect(decode('\ufeff1\n')[0]).to.be.instanceOf(RequestError);
  });

  it('tells of a line that is not JSON, and goes on', () => {
    const [first, wrong, last] = decode('1\nnonsense\n2\n');
    expect([first, last]).to.deep.equal([1, 2]);
    expect(wrong)
      .to.be.instanceOf(RequestError)
      .with.property('message')
      .that.matches(/^not JSON: /);
  });

  it('takes messages of exactly the greatest length, in bytes, however they come', () => {
    const text = `${JSON.stringify('é'.repeat(20))}\n`.repeat(3);
    for (const pieces of [[Buffer.from(text)], singleBytes(Buffer.from(text))]) {
      expect(decodeAll(new ClientCodec(42), pieces)).to.deep.equal(new Array(3).fill('é'.repeat(20)));
    }
  });

  it('breaks off at a message that is longer, once, behind those before it', () => {
    const text = `1\n2\n${JSON.stringify('é'.repeat(20))}\n3\n`;
    for (const pieces of [[Buffer.from(text)], singleBytes(Buffer.from(text))]) {
      const messages = decodeAll(new ClientCodec(41), pieces);
      expect(messages.slice(0, 2)).to.deep.equal([1, 2]);
      expect(messages).to.have.length(3);
      expect(messages[2]).to.be.instanceOf(ProtocolError).with.property('status', 'limit');
    }
  });

  it('breaks off before the end of a message that is too long has come', () => {
    const codec = new ClientCodec(10);
    codec.push(Buffer.from('[1,2,3,4,5,'));
    expect(codec.next()).to.be.instanceOf(ProtocolError);
    codec.push(Buffer.from('6]\n1\n'));
    codec.end();
    expect(readAll(codec)).to.deep.equal([]);
  });

  it('keeps nothing of what it has given out', () => {
    const text = `${JSON.stringify('x'.repeat(500_000))}\n`;
    const bytesKept = measureKept(20, (codec) => {
      codec.push(Buffer.from(text));
      readAll(codec);
    });
    expect(bytesKept).to.be.below(50_000);
  });

  it('keeps not much more than the bytes of a line whose end has not come, however many pieces it came in', () => {
    const one = Buffer.from('x');
    const bytesKept = measureKept(1, (codec) => {
      for (let count = 0; count < 500_000; count += 1) {
        codec.push(one);
        codec.next();
      }
    });
    expect(bytesKept).to.be.below(2_000_000);
  });

  it('joins thousands of pieces to one message', () => {
    const text = JSON.stringify('é😀'.repeat(3_000));
    expect(decodeAll(new ClientCodec(PLENTY), singleBytes(Buffer.from(`1\n${text}\n2\n`)))).to.deep.equal([
      1,
      JSON.parse(text),
      2,
    ]);
  });

  it('writes each value as a line', () => {
    const codec = new ClientCodec(PLENTY);
    codec.encode({ a: 'é' });
    codec.encode({ b: 1 });
    expect(codec.output.take()).to.equal('{"a":"é"}\n{"b":1}\n');
  });
});
