import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError, RequestError } from '../../lib/wire/errors.ts';
import { ServerCodec } from '../../lib/wire/server-codec.ts';
import { encoded, readAll, singleBytes } from './decoding.ts';
import { anyText } from './text-arbitraries.ts';

const PLENTY = 1_000_000;

function decode(...pieces: readonly (string | Uint8Array)[]): unknown[] {
  const codec = new ServerCodec(PLENTY);
  for (const piece of pieces) codec.push(Buffer.from(piece));
  return readAll(codec);
}

describe('ServerCodec', () => {
  it('takes no bytes after the end', () => {
    const codec = new ServerCodec(PLENTY);
    codec.push(Buffer.from('1'));
    codec.end();
    expect(readAll(codec)).to.deep.equal([1]);
    codec.push(Buffer.from('2\n'));
    expect(readAll(codec)).to.deep.equal([]);
  });

  describe('with bytes that are no UTF-8', () => {
    const wrong = Uint8Array.of(0x80, 0xff, 0xe2, 0x82);
    const bytes = Buffer.concat([Buffer.from('{"name":"a'), wrong, Buffer.from('z"}\n')]);
    const message = { name: 'a\udc80\udcff\udce2\udc82z' };

    it('decodes each such byte b to the lone surrogate U+DC00+b', () => {
      expect(decode(bytes)).to.deep.equal([message]);
      expect(decode(...singleBytes(bytes))).to.deep.equal([message]);
    });

    it('writes it as an escape, which is read as the same text', () => {
      const sent = encoded(new ServerCodec(PLENTY), message);
      expect(sent).to.equal('{"name":"a\\udc80\\udcff\\udce2\\udc82z"}\n');
      expect(decode(sent)).to.deep.equal([message]);
    });
  });

  it('writes one line that is decoded to the same message', () => {
    const values = [anyText, fc.double({ noNaN: true }), fc.boolean(), fc.constant(null), fc.integer()];
    const value = fc.anything({ values, key: anyText, maxDepth: 3 });
    fc.assert(
      fc.property(fc.dictionary(anyText, value), (message) => {
        const codec = new ServerCodec(PLENTY);
        const sent = Buffer.from(encoded(codec, message), codec.encoding);
        expect(sent.indexOf('\n')).to.equal(sent.length - 1);
        expect(sent.toString()).to.equal(`${JSON.stringify(message)}\n`);
        expect(decode(sent)).to.deep.equal([JSON.parse(JSON.stringify(message))]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('writes long texts that are no Unicode as the engine does', () => {
    const longText = fc.array(anyText, { minLength: 30, maxLength: 60 }).map((texts) => texts.join(''));
    const values = [longText, anyText, fc.double(), fc.boolean(), fc.constant(null), fc.constant(undefined)];
    fc.assert(
      fc.property(fc.array(fc.anything({ values, key: anyText, withDate: true, maxDepth: 3 })), (items) => {
        const message = { items, odd: '\udcff'.repeat(100) };
        const codec = new ServerCodec(PLENTY);
        const sent = Buffer.from(encoded(codec, message), codec.encoding);
        expect(sent.toString()).to.equal(`${JSON.stringify(message)}\n`);
      }),
      { numRuns: 1_000 },
    );
  });

  describe('with a limit on values', () => {
    const max = 100;
    const next = (text: string) => {
      const codec = new ServerCodec(PLENTY, max);
      codec.push(Buffer.from(`${text}\n"next"\n`));
      return readAll(codec);
    };

    it('takes as many lists, objects, items and members as it allows, and any text', () => {
      const list = [...Array(max - 1).keys()];
      expect(next(JSON.stringify(list))).to.deep.equal([list, 'next']);
      const text = ',[{\\"'.repeat(200);
      expect(next(JSON.stringify({ text, list: [] }))).to.deep.equal([{ text, list: [] }, 'next']);
    });

    for (const [what, text] of Object.entries({
      items: JSON.stringify([...Array(max + 1).keys()]),
      members: JSON.stringify(Object.fromEntries([...Array(max + 1).keys()].map((key) => [`k${key}`, 1]))),
      lists: '['.repeat(max + 1) + ']'.repeat(max + 1),
      objects: '{"":'.repeat(max + 1),
      'items behind a string': `["\\\\",${'1,'.repeat(max)}1]`,
    })) {
      it(`refuses more ${what}, and goes on`, () => {
        const [error, ...rest] = next(text);
        expect(error).to.be.instanceOf(RequestError).with.property('status', 'limit');
        expect(rest).to.deep.equal(['next']);
      });
    }
  });

  it('writes long messages beyond ASCII in UTF-8', () => {
    const message = { text: 'é€😀'.repeat(10_000) };
    const codec = new ServerCodec(PLENTY);
    expect(Buffer.from(encoded(codec, message), codec.encoding).toString()).to.equal(`${JSON.stringify(message)}\n`);
  });

  it('takes a request behind the beginning of a line as the rest of that line', () => {
    const request = '{"command":"lock","parameters":{"lockName":"a"},"id":1}';
    const messages = decode('x', `${request}\n${request}\n`);
    expect(messages[0]).to.be.instanceOf(RequestError);
    expect(messages.slice(1)).to.deep.equal([JSON.parse(request)]);
  });

  it('holds the requests that it reads in place to maxMessageBytes, too', () => {
    const request = '{"command":"lock","parameters":{"lockName":"a"},"id":1}';
    for (const [max, expected] of [
      [request.length, JSON.parse(request)],
      [request.length - 1, undefined],
    ]) {
      const codec = new ServerCodec(max);
      codec.push(Buffer.from(`${request}\n`));
      const message = codec.next();
      if (expected === undefined) expect(message).to.be.instanceOf(ProtocolError).with.property('status', 'limit');
      else expect(message).to.deep.equal(expected);
    }
  });

  it('tells how much there is to send, and has nothing left once it is taken', () => {
    const codec = new ServerCodec(PLENTY);
    const reply = { id: 1, result: { status: 'ok' } };
    const line = `${JSON.stringify(reply)}\n`;
    for (const _time of [1, 2]) {
      codec.encode(reply);
      codec.encode(reply);
      expect(codec.output.length).to.equal(2 * line.length);
      expect(codec.output.take()).to.equal(line + line);
      expect(codec.output.length).to.equal(0);
      expect(codec.output.take()).to.equal('');
    }
  });
});
