import { expect } from 'chai';
import { FRAGMENT_BYTES, FrameFollower } from '../../lib/transports/web-socket-frames.ts';

const TEXT = 0x01;
const CONTINUATION = 0x00;
const PING = 0x09;
const FINAL = 0x80;
const MASKED = 0x80;

/** A frame whose payload would itself look like the beginning of a message. */
function frame(firstByte: number, length: number, isMasked = true): Buffer {
  const mask = isMasked ? MASKED : 0;
  const header = [firstByte];
  if (length < 126) header.push(mask | length);
  else if (length < 65_536) header.push(mask | 126, length >> 8, length & 0xff);
  else header.push(mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff);
  if (isMasked) header.push(1, 2, 3, 4);
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, TEXT)]);
}

/** How many bytes of an unfinished message have come, after each piece of that size. */
function partialBytesOf(bytes: Buffer, pieceBytes: number): number[] {
  const follower = new FrameFollower();
  const begun: number[] = [];
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    follower.read(bytes.subarray(offset, offset + pieceBytes));
    begun.push(follower.partialBytes);
  }
  return begun;
}

describe('FrameFollower', () => {
  it('is in no message before the first byte', () => {
    expect(new FrameFollower().partialBytes).to.equal(0);
  });

  for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
    for (const isMasked of [true, false]) {
      it(`is in a message until its last byte, with ${length} bytes ${isMasked ? 'masked' : 'not masked'}`, () => {
        const bytes = frame(FINAL | TEXT, length, isMasked);
        const twice = Buffer.concat([bytes, bytes]);
        const expected = [...Array.from({ length: bytes.length - 1 }, (_, index) => index + 1), 0];
        expect(partialBytesOf(twice, 1)).to.deep.equal([...expected, ...expected]);
        expect(partialBytesOf(twice, bytes.length)).to.deep.equal([0, 0]);
        expect(partialBytesOf(twice.subarray(0, -1), twice.length)).to.deep.equal([bytes.length - 1]);
      });
    }
  }

  it('is in a message of several frames until the last of them, also between two and behind a ping among them', () => {
    const frames = [frame(TEXT, 3), frame(FINAL | PING, 2), frame(CONTINUATION, 200), frame(FINAL | CONTINUATION, 0)];
    const follower = new FrameFollower();
    const begun = frames.map((each) => {
      follower.read(each);
      return follower.partialBytes;
    });
    const [first, ping, second] = frames.map(({ length }) => length) as [number, number, number, number];
    const kept = first + FRAGMENT_BYTES;
    expect(begun).to.deep.equal([kept, kept + ping, kept + ping + second + FRAGMENT_BYTES, 0]);
  });

  for (const length of [0, 1, 125, 126, 400]) {
    it(`tells one frame of ${length} bytes, and parts of it, from several`, () => {
      const follower = new FrameFollower();
      const bytes = frame(FINAL | TEXT, length);
      const tellsOne = (...parts: readonly Buffer[]): boolean => follower.isOneFrame(Buffer.concat(parts));
      expect([tellsOne(bytes), tellsOne(bytes.subarray(0, -1)), tellsOne(bytes, bytes)]).to.deep.equal([
        true,
        true,
        false,
      ]);
      expect(tellsOne(bytes, bytes.subarray(0, 1))).to.equal(false);
      const half = Math.floor(bytes.length / 2);
      follower.read(bytes.subarray(0, half));
      const isInPayload = half >= bytes.length - length;
      expect(tellsOne(bytes.subarray(half))).to.equal(isInPayload);
      expect(tellsOne(bytes.subarray(half), bytes)).to.equal(false);
    });
  }
});
