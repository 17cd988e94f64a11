import { expect } from 'chai';
import { ClientCodec } from '../../lib/wire/client-codec.ts';
import { bytesKeptBy } from '../support/garbage.ts';
import { readAll } from './decoding.ts';

const PLENTY = 1_000_000;

/** The bytes that each of some codecs keeps after use. */
function measureKept(codecCount: number, use: (codec: ClientCodec) => void): number {
  const codecs = Array.from({ length: codecCount }, () => new ClientCodec(PLENTY));
  const bytesKept = bytesKeptBy(() => codecs.forEach(use));
  for (const codec of codecs) expect(codec.next()).to.equal(undefined);
  return bytesKept / codecCount;
}

describe('ClientCodec', () => {
  it('reads U+FFFD for bytes that are no UTF-8, also where they are cut off', () => {
    for (const pieces of [
      [[0x22, 0xff, 0x22, 0x0a]],
      [
        [0x22, 0xf0, 0x9f],
        [0x22, 0x0a],
      ],
    ]) {
      const codec = new ClientCodec(PLENTY);
      for (const piece of pieces) codec.push(Uint8Array.from(piece));
      expect(readAll(codec)).to.deep.equal(['\ufffd']);
    }
  });

  it('keeps nothing of the messages that it has read', () => {
    const text = `${JSON.stringify('x'.repeat(500_000))}\n`;
    const bytesKept = measureKept(20, (codec) => {
      codec.push(Buffer.from(text));
      readAll(codec);
    });
    expect(bytesKept).to.be.below(50_000);
  });

  it('keeps little more than the bytes of an unfinished line, even if it came in very many pieces', () => {
    const one = Buffer.from('x');
    const bytesKept = measureKept(1, (codec) => {
      for (let count = 0; count < 500_000; count += 1) {
        codec.push(one);
        codec.next();
      }
    });
    expect(bytesKept).to.be.below(2_000_000);
  });

  it('writes each value as a line', () => {
    const codec = new ClientCodec(PLENTY);
    codec.encode({ a: 'é' });
    codec.encode({ b: 1 });
    expect(codec.output.take()).to.equal('{"a":"é"}\n{"b":1}\n');
  });
});
