import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { AsciiReader } from '../../../lib/wire/fast/ascii-reader.ts';
import { readRequest } from '../../../lib/wire/fast/request-reader.ts';
import { ServerCodec } from '../../../lib/wire/server-codec.ts';
import { bytesKeptBy } from '../../support/garbage.ts';
import { anyText } from '../text-arbitraries.ts';

const reader = new AsciiReader();

function readFrom(bytes: Uint8Array, start: number, end: number): unknown {
  reader.begin(bytes, start, end);
  return readRequest(reader);
}

function read(text: string): unknown {
  const bytes = Buffer.from(`${text}\n`);
  return readFrom(bytes, 0, bytes.length);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The reader must return the same request as `JSON.parse`, with members in the same order, or none. */
function expectAgreement(text: string): void {
  const request = read(text);
  if (request === undefined) return;
  expect(request, text).to.deep.equal(parse(text));
  expect(JSON.stringify(request), text).to.equal(JSON.stringify(parse(text)));
}

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeNat(),
  fc.double(),
  fc.constantFrom(0, -0, 0.5, 1e9, 2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, 1e15, 1e16, 1e21),
);
const plainText = fc.string({ unit: fc.constantFrom(...'abcXYZ019 :,-_.{}[]') });
const text = fc.oneof(plainText, fc.string(), anyText);
const scalar = fc.oneof(number, text, fc.boolean(), fc.constant(null));
const memberName = fc.oneof(
  fc.constantFrom('owner', 'timeLimit', 'mode', 'limit', 'lease', 'token', 'steal', 'stealable', 'lockName'),
  fc.constantFrom('__proto__', 'constructor', '7', 'id', 'x'),
);
const parameters = fc
  .tuple(text, fc.array(fc.tuple(memberName, scalar), { maxLength: 5 }))
  .map(([lockName, members]) => Object.fromEntries([['lockName', lockName], ...members]));
const request = fc
  .record({ command: text, parameters, id: fc.oneof(number, text) })
  .map((message) => JSON.stringify(message));

/** One change somewhere: a character replaced, put in or left out, or the end cut off. */
const change = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.integer({ min: 0, max: 2 }),
  fc.oneof(
    fc.constantFrom(...'"\\{}[],:0123456789.eE+- \t\n\rtrufalsn'),
    fc.string({ minLength: 1, maxLength: 1 }),
    fc.constantFrom('"lockName":"y",', ',"owner":1', '00', '1.', '.5', '\u0000', 'é'),
  ),
);

function changed(original: string, changes: readonly (readonly [number, number, string])[]): string {
  return changes.reduce((text, [place, removed, added]) => {
    const at = Math.round(place * text.length);
    return text.slice(0, at) + added + text.slice(at + removed);
  }, original);
}

describe('readRequest', () => {
  it('reads the most common requests', () => {
    for (const message of [
      '{"command":"lock","parameters":{"lockName":"jobs"},"id":7}',
      '{"command":"unlock","parameters":{"lockName":"a longer name of a lock"},"id":0}',
      '{"command":"lock","parameters":{"lockName":"","owner":"x","timeLimit":5,"mode":"permit","limit":3},"id":"7"}',
      '{"command":"lock","parameters":{"lockName":"a","timeLimit":false,"stealable":true,"steal":false,"lease":30},"id":1}',
      '{"command":"unlock","parameters":{"lockName":"a","token":1763650000000001},"id":9007199254740991}',
    ]) {
      expect(read(message), message).to.deep.equal(JSON.parse(message));
      expectAgreement(message);
    }
  });

  it('reads a request in the middle of a chunk', () => {
    const message = '{"command":"lock","parameters":{"lockName":"jobs"},"id":7}';
    const chunk = Buffer.from(`1\n${message}\n{"command":"x"`);
    expect(readFrom(chunk, 2, chunk.length)).to.deep.equal(JSON.parse(message));
    expect(reader.at).to.equal(3 + message.length);
    expect(readFrom(chunk, 2, 3 + message.length)).to.deep.equal(JSON.parse(message));
    expect(readFrom(chunk, 2, 2 + message.length)).to.equal(undefined);
    expect(readFrom(chunk, 2, 1 + message.length)).to.equal(undefined);
    expect(read(`${message} `)).to.equal(undefined);
  });

  it('reads nothing beyond the end of its line', () => {
    const message = '{"command":"lock","parameters":{"lockName":"jobs"},"id":7';
    expect(read(message)).to.equal(undefined);
    expect(read(`${message}\n}`)).to.equal(undefined);
  });

  it('distinguishes all names, even if they share a place in the cache', () => {
    for (let index = 0; index < 40_000; index += 1) {
      const lockName = `lock-${index % 20_000}`;
      const message = { command: 'lock', parameters: { lockName }, id: 1 };
      if (!isDeepStrictEqual(read(JSON.stringify(message)), message)) expect.fail(`${lockName} is another name`);
    }
  });

  it('reads names of any length, and leaves those with an escape or a control character anywhere', () => {
    for (let length = 0; length < 80; length += 1) {
      const name = 'abcdefghij'.repeat(8).slice(0, length);
      expect(read(`{"command":"lock","parameters":{"lockName":"${name}"},"id":1}`)).to.have.nested.property(
        'parameters.lockName',
        name,
      );
      for (const odd of ['"', '\\', '\n', '\u001f', '\u007f', '\u0080', 'é', '\\u0041', ' ', '~']) {
        for (let at = 0; at <= length; at += 1) {
          expectAgreement(
            `{"command":"lock","parameters":{"lockName":"${name.slice(0, at)}${odd}${name.slice(at)}"},"id":1}`,
          );
        }
      }
    }
  });

  it('leaves other messages to JSON.parse', () => {
    for (const message of [
      '{"command":"lock","parameters":{"lockName":"\\u0061"},"id":7}',
      '{"command":"lock","parameters":{"lockName":"a","__proto__":1},"id":7}',
      '{"command":"lock","parameters":{"lockName":"a"},"id":9007199254740993}',
      '{"command":"lock","parameters":{"lockName":"a"},"id":01}',
      '{"command":"lock","parameters":{"lockName":"a"},"id":1.}',
      '{"command":"lock","parameters":{"lockName":"a","timeLimit":0.5},"id":1}',
      '{"command":"lock","parameters":{"lockName":"a"},"id":7}x',
      '{"command":"lock","parameters":{"lockName":"a\tb"},"id":7}',
      '{"command":"lock","parameters":{"lockName":"a"}}',
      '{"id":7,"command":"lock","parameters":{"lockName":"a"}}',
    ]) {
      expect(read(message), message).to.equal(undefined);
    }
  });

  it('never differs from JSON.parse', () => {
    fc.assert(fc.property(request, expectAgreement), { numRuns: 3_000 });
  });

  it('never differs from JSON.parse on damaged requests', () => {
    const tampered = fc.tuple(request, fc.array(change, { minLength: 1, maxLength: 3 }));
    fc.assert(
      fc.property(tampered, ([message, changes]) => expectAgreement(changed(message, changes))),
      { numRuns: 10_000 },
    );
  });

  it('never differs from JSON.parse when any one character changes', () => {
    const message =
      '{"command":"lock","parameters":{"lockName":"jobs","owner":"x","timeLimit":0.5,"steal":true},"id":10}';
    for (let at = 0; at <= message.length; at += 1) {
      for (let code = 0; code < 0x100; code += 1) {
        const other = String.fromCharCode(code);
        expectAgreement(message.slice(0, at) + other + message.slice(at + 1));
        expectAgreement(message.slice(0, at) + other + message.slice(at));
      }
      expectAgreement(message.slice(0, at) + message.slice(at + 1));
      expectAgreement(message.slice(0, at));
    }
  });
});

describe('names read by the codec', () => {
  it('do not keep the bytes that came with them', () => {
    const COUNT = 300;
    const FILLER = `${JSON.stringify('x'.repeat(60_000))}\n`;
    const kept: unknown[] = [];
    const bytesKept = bytesKeptBy(() => {
      for (let index = 0; index < COUNT; index += 1) {
        const codec = new ServerCodec(100_000);
        const name = `a name that is long enough ${index}`;
        codec.push(Buffer.from(`{"command":"lock","parameters":{"lockName":"${name}"},"id":"${name}"}\n${FILLER}`));
        kept.push(codec.next());
        codec.next();
        codec.next();
      }
    });
    expect(kept).to.have.length(COUNT);
    expect(bytesKept / COUNT).to.be.below(5_000);
  });
});
