import { expect } from 'chai';
import fc from 'fast-check';
import { LineSplitter } from '../../lib/wire/line-splitter.ts';

/** All that can be read now, or the first of it, each byte a character. */
function readAll(splitter: LineSplitter, max: number = Number.POSITIVE_INFINITY): string[] {
  const lines: string[] = [];
  while (lines.length < max) {
    const line = splitter.nextLine();
    if (line === undefined) break;
    lines.push(line === 'tooLong' ? line : Buffer.from(line).toString('latin1'));
  }
  return lines;
}

describe('the line splitter', () => {
  it('splits lines, and keeps empty ones and carriage returns', () => {
    const splitter = new LineSplitter(100);
    splitter.push(Buffer.from('one\n\ntwo\r\n\n'));
    expect(readAll(splitter)).to.deep.equal(['one', '', 'two\r', '']);
  });

  it('keeps the beginning of a line until the rest comes', () => {
    const splitter = new LineSplitter(100);
    splitter.push(Buffer.from('one\ntw'));
    expect(readAll(splitter)).to.deep.equal(['one']);
    splitter.push(Buffer.alloc(0));
    expect(readAll(splitter)).to.deep.equal([]);
    splitter.push(Buffer.from('o'));
    expect(readAll(splitter)).to.deep.equal([]);
    splitter.push(Buffer.from('\nthree'));
    expect(readAll(splitter)).to.deep.equal(['two']);
    splitter.end();
    expect(readAll(splitter)).to.deep.equal(['three']);
    expect(readAll(splitter)).to.deep.equal([]);
  });

  it('finds no further line when all have ended', () => {
    const splitter = new LineSplitter(100);
    splitter.push(Buffer.from('one\n'));
    splitter.end();
    expect(readAll(splitter)).to.deep.equal(['one']);
  });

  it('takes nothing after the end', () => {
    const splitter = new LineSplitter(100);
    splitter.end();
    splitter.push(Buffer.from('one\n'));
    expect(readAll(splitter)).to.deep.equal([]);
  });

  it('makes no line of an empty piece that comes before the others are read', () => {
    const splitter = new LineSplitter(100);
    splitter.push(Buffer.from('one\n'));
    splitter.push(Buffer.alloc(0));
    splitter.end();
    expect(readAll(splitter)).to.deep.equal(['one']);
  });

  it('takes a line of exactly the longest length', () => {
    const splitter = new LineSplitter(3);
    splitter.push(Buffer.from('123\n456'));
    expect(readAll(splitter)).to.deep.equal(['123']);
    splitter.end();
    expect(readAll(splitter)).to.deep.equal(['456']);
  });

  it('reports a line that is too long once, with or without its end, and finds nothing after it', () => {
    for (const pieces of [['1234\n5\n'], ['1234'], ['12', '34'], ['123', '4\n'], ['1', '2', '3', '4']]) {
      const splitter = new LineSplitter(3);
      splitter.push(Buffer.from('ok\n'));
      const lines = readAll(splitter);
      for (const piece of pieces) {
        splitter.push(Buffer.from(piece));
        lines.push(...readAll(splitter));
      }
      splitter.push(Buffer.from('more\n'));
      splitter.end();
      lines.push(...readAll(splitter));
      expect(lines, String(pieces)).to.deep.equal(['ok', 'tooLong']);
    }
  });

  it('finds the same lines wherever the bytes are cut', () => {
    const byte = fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 }));
    const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 });
    const withBreaks = fc.array(fc.array(byte, { maxLength: 12 }), { maxLength: 20 });
    fc.assert(
      fc.property(fc.oneof(pieces, withBreaks), fc.nat({ max: 4 }), (parts, readBetween) => {
        const splitter = new LineSplitter(1_000);
        const lines: string[] = [];
        const shared = Buffer.alloc(20);
        for (const part of parts) {
          shared.set(part);
          splitter.push(shared.subarray(0, part.length));
          lines.push(...readAll(splitter, readBetween));
          splitter.keep();
          shared.fill('!');
        }
        splitter.end();
        lines.push(...readAll(splitter));
        const expected = Buffer.concat(parts.map((part) => Buffer.from(part)))
          .toString('latin1')
          .split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(lines).to.deep.equal(expected);
      }),
    );
  });
});
