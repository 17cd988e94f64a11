import { expect } from 'chai';
import { ByteBuffer } from '../../lib/wire/byte-buffer.ts';

describe('a byte buffer', () => {
  it('is empty at first, and empty again when its bytes were taken', () => {
    const buffer = new ByteBuffer();
    expect(buffer.length).to.equal(0);
    expect([...buffer.take()]).to.deep.equal([]);
    buffer.add(Uint8Array.of(1, 2));
    expect(buffer.length).to.equal(2);
    expect([...buffer.take()]).to.deep.equal([1, 2]);
    expect(buffer.length).to.equal(0);
    expect([...buffer.take()]).to.deep.equal([]);
  });

  it('joins pieces of every size in their order', () => {
    const buffer = new ByteBuffer();
    const all: number[] = [];
    for (const size of [0, 1, 255, 0, 1, 256, 257, 3, 1_000, 5_000, 0, 1]) {
      const piece = Uint8Array.from({ length: size }, (_, index) => (all.length + index) & 0xff);
      buffer.add(piece);
      all.push(...piece);
      expect(buffer.length).to.equal(all.length);
    }
    expect([...buffer.take()]).to.deep.equal(all);
  });

  it('joins single bytes', () => {
    const buffer = new ByteBuffer();
    for (let byte = 0; byte < 1_000; byte += 1) buffer.add(Uint8Array.of(byte & 0xff));
    expect([...buffer.take()]).to.deep.equal(Array.from({ length: 1_000 }, (_, byte) => byte & 0xff));
  });

  it('copies its pieces, and never changes bytes that were taken', () => {
    const buffer = new ByteBuffer();
    const piece = Uint8Array.of(1, 2, 3);
    buffer.add(piece);
    piece.fill(9);
    const taken = buffer.take();
    buffer.add(Uint8Array.of(4, 5, 6, 7));
    expect([...taken]).to.deep.equal([1, 2, 3]);
  });

  it('adds a piece that is a view into something larger', () => {
    const buffer = new ByteBuffer();
    buffer.add(Uint8Array.of(0, 1, 2, 3, 4).subarray(1, 3));
    buffer.add(Uint8Array.of(0, 1, 2, 3, 4).subarray(4));
    expect([...buffer.take()]).to.deep.equal([1, 2, 4]);
  });
});
