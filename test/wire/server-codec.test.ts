import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError, RequestError } from '../../lib/wire/errors.ts';
import { ServerCodec } from '../../lib/wire/server-codec.ts';
import { cutAt, encoded, readAll, singleBytes } from './decoding.ts';
import { anyText } from './text-arbitraries.ts';

const PLENTY = 1_000_000;

/** What the codec gives out after each push, and after the end. */
function decodeAll(codec: ServerCodec, pieces: readonly Uint8Array[], hasEnd = true): unknown[] {
  const messages: unknown[] = [];
  for (const piece of pieces) {
    codec.push(piece);
    messages.push(...readAll(codec));
  }
  if (hasEnd) codec.end();
  return [...messages, ...readAll(codec)];
}

function decode(text: string | Uint8Array): unknown[] {
  return decodeAll(new ServerCodec(PLENTY), [Buffer.from(text)]);
}

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
const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 });

describe('ServerCodec', () => {
  it('gives the same messages however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), places, (lines, cuts) => {
        const bytes = Buffer.concat(lines.map((each) => each.bytes));
        const expected = lines.map(({ json }) => JSON.parse(json) as unknown);
        expect(decodeAll(new ServerCodec(PLENTY), cutAt(bytes, cuts), false)).to.deep.equal(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives the same messages byte by byte', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
        const bytes = Buffer.concat(lines.map((each) => each.bytes));
        const expected = lines.map(({ json }) => JSON.parse(json) as unknown);
        expect(decodeAll(new ServerCodec(PLENTY), singleBytes(bytes), false)).to.deep.equal(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same messages when all bytes are there before the first is asked for', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), places, (lines, cuts) => {
        const codec = new ServerCodec(PLENTY);
        for (const piece of cutAt(Buffer.concat(lines.map((each) => each.bytes)), cuts)) codec.push(piece);
        expect(decodeAll(codec, [])).to.deep.equal(lines.map(({ json }) => JSON.parse(json) as unknown));
      }),
      { numRuns: 300 },
    );
  });

  it('takes a multi-byte character and an escape cut at every place', () => {
    const bytes = Buffer.from(`{"name":"é€😀\\ud83d\\ude00\\n"}\n{"next":1}\n`);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const messages = decodeAll(new ServerCodec(PLENTY), [bytes.subarray(0, cut), bytes.subarray(cut)]);
      expect(messages, `cut at ${cut}`).to.deep.equal([{ name: 'é€😀😀\n' }, { next: 1 }]);
    }
  });

  it('takes many messages in one piece', () => {
    const numbers = Array.from({ length: 10_000 }, (_, index) => index);
    expect(decode(numbers.map((number) => `${number}\n`).join(''))).to.deep.equal(numbers);
  });

  it('gives out what a line says, whatever JSON it is', () => {
    expect(decode('null\nfalse\n0\n""\n[]\n')).to.deep.equal([null, false, 0, '', []]);
  });

  it('takes lines that end in CRLF and passes over blank ones', () => {
    expect(decode('\r\n\n{"a":1}\r\n  \r\n\t\n{"b":2}\n\n')).to.deep.equal([{ a: 1 }, { b: 2 }]);
  });

  it('takes a last line without a newline once no more bytes come', () => {
    const codec = new ServerCodec(PLENTY);
    expect(decodeAll(codec, [Buffer.from('{"a":1}\n{"b"'), Buffer.from(':2}')], false)).to.deep.equal([{ a: 1 }]);
    codec.end();
    expect(decodeAll(codec, [])).to.deep.equal([{ b: 2 }]);
  });

  it('finds nothing in a last line that is blank', () => {
    expect(decode('1\n \r')).to.deep.equal([1]);
    expect(decode('')).to.deep.equal([]);
  });

  it('takes no bytes after the end', () => {
    const codec = new ServerCodec(PLENTY);
    expect(decodeAll(codec, [Buffer.from('1')])).to.deep.equal([1]);
    expect(decodeAll(codec, [Buffer.from('2\n')])).to.deep.equal([]);
  });

  it('says what is wrong with a line that is not JSON and goes on with the next', () => {
    for (const wrong of ['{"a":}', '{', 'nonsense', "{'a':1}", '{"a":1}{"b":2}', '"', '\ufeff{}', 'NaN', '\u0000']) {
      const [error, next, ...more] = decode(`${wrong}\n{"fine":true}\n`);
      expect(error, wrong).to.be.instanceOf(RequestError).with.property('status', 'invalid');
      expect((error as RequestError).message, wrong).to.match(/^not JSON: ./);
      expect(next, wrong).to.deep.equal({ fine: true });
      expect(more, wrong).to.deep.equal([]);
    }
  });

  it('says so too when the last line breaks off', () => {
    const [error, ...more] = decode('{"a":1');
    expect(error).to.be.instanceOf(RequestError);
    expect(more).to.deep.equal([]);
  });

  it('keeps its own copy of what it has begun to read', () => {
    const codec = new ServerCodec(PLENTY);
    const shared = Buffer.from('{"name":"first');
    expect(decodeAll(codec, [shared], false)).to.deep.equal([]);
    shared.fill('#');
    expect(decodeAll(codec, [Buffer.from('"}\n')], false)).to.deep.equal([{ name: 'first' }]);
  });
});

describe('ServerCodec with a request behind the beginning of a line', () => {
  it('takes both for one line', () => {
    const request = '{"command":"lock","parameters":{"lockName":"a"},"id":1}';
    const messages = decodeAll(new ServerCodec(PLENTY), [Buffer.from('x'), Buffer.from(`${request}\n${request}\n`)]);
    expect(messages[0]).to.be.instanceOf(RequestError);
    expect(messages.slice(1)).to.deep.equal([JSON.parse(request)]);
  });
});

describe('ServerCodec with bytes that are no UTF-8', () => {
  const bytes = Buffer.concat([Buffer.from('{"name":"a'), Uint8Array.of(0x80, 0xff, 0xe2, 0x82), Buffer.from('z"}\n')]);
  const message = { name: 'a\udc80\udcff\udce2\udc82z' };

  it('decodes each such byte b to the lone surrogate U+DC00+b', () => {
    expect(decode(bytes)).to.deep.equal([message]);
    expect(decodeAll(new ServerCodec(PLENTY), singleBytes(bytes))).to.deep.equal([message]);
  });

  it('writes it as an escape, which comes back as the same text', () => {
    const sent = encoded(new ServerCodec(PLENTY), message);
    expect(sent).to.equal('{"name":"a\\udc80\\udcff\\udce2\\udc82z"}\n');
    expect(decode(sent)).to.deep.equal([message]);
  });
});

describe('ServerCodec.encode', () => {
  it('writes one line that is decoded to the same message', () => {
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
});

describe('The output of a ServerCodec', () => {
  it('tells how much there is to send, and is empty once it is taken', () => {
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

describe('ServerCodec with long messages', () => {
  it('writes those beyond ASCII in UTF-8', () => {
    const message = { text: 'é€😀'.repeat(10_000) };
    const codec = new ServerCodec(PLENTY);
    expect(Buffer.from(encoded(codec, message), codec.encoding).toString()).to.equal(`${JSON.stringify(message)}\n`);
  });
});

describe('ServerCodec at maxMessageBytes', () => {
  const MAX = 10;

  function expectTooLong(error: unknown): void {
    expect(error).to.be.instanceOf(ProtocolError).with.property('status', 'limit');
    expect((error as ProtocolError).message).to.equal(`a message is longer than maxMessageBytes, ${MAX}`);
  }

  it('takes a line of just as many bytes and breaks at one more', () => {
    expect(decodeAll(new ServerCodec(MAX), [Buffer.from('"12345678"\n')])).to.deep.equal(['12345678']);
    const [error, ...more] = decodeAll(new ServerCodec(MAX), [Buffer.from('"123456789"\n')]);
    expectTooLong(error);
    expect(more).to.deep.equal([]);
  });

  it('holds for the requests that it reads faster than others, too', () => {
    const request = '{"command":"lock","parameters":{"lockName":"a"},"id":1}';
    const bytes = Buffer.from(`${request}\n`);
    expect(decodeAll(new ServerCodec(request.length), [bytes])).to.deep.equal([JSON.parse(request)]);
    const [error] = decodeAll(new ServerCodec(request.length - 1), [bytes]);
    expect(error).to.be.instanceOf(ProtocolError).with.property('status', 'limit');
  });

  it('counts bytes, not characters', () => {
    expect(decodeAll(new ServerCodec(MAX), [Buffer.from('"éééé"\n')])).to.deep.equal(['éééé']);
    expectTooLong(decodeAll(new ServerCodec(MAX), [Buffer.from('"ééééé"\n')])[0]);
  });

  it('counts each line by itself', () => {
    const lines = Array.from({ length: 100 }, (_, index) => 10_000_000 + index);
    expect(decodeAll(new ServerCodec(MAX), [Buffer.from(lines.join('\n'))])).to.deep.equal(lines);
  });

  it('breaks off an endless line at the first byte that is too many', () => {
    const codec = new ServerCodec(MAX);
    for (let count = 1; count <= MAX; count += 1) {
      codec.push(Uint8Array.of(0x20));
      expect(codec.next(), `byte ${count}`).to.equal(undefined);
    }
    codec.push(Uint8Array.of(0x20));
    expectTooLong(codec.next());
  });

  it('gives out what came before the line that is too long and nothing after it', () => {
    const codec = new ServerCodec(MAX);
    const [first, error, ...more] = decodeAll(codec, [Buffer.from(`1\n${'2'.repeat(MAX + 1)}\n3\n`)], false);
    expect(first).to.equal(1);
    expectTooLong(error);
    expect(more).to.deep.equal([]);
    expect(decodeAll(codec, [Buffer.from('4\n'), Buffer.from('5\n')])).to.deep.equal([]);
  });

  it('breaks at the same line however the bytes are cut', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: MAX + 2 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(lengths, places, fc.boolean(), (counts, cuts, hasLastNewline) => {
        const lines = counts.map((count) => '7'.repeat(count));
        const bytes = Buffer.from(lines.join('\n') + (hasLastNewline ? '\n' : ''));
        const tooLong = counts.findIndex((count) => count > MAX);
        const messages = decodeAll(new ServerCodec(MAX), cutAt(bytes, cuts));
        if (tooLong !== -1) expectTooLong(messages.pop());
        expect(messages).to.deep.equal(lines.slice(0, tooLong === -1 ? lines.length : tooLong).map(Number));
      }),
      { numRuns: 1_000 },
    );
  });
});
