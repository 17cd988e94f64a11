import { expect } from 'chai';
import { LineCodec } from '../../lib/foreign/line/line-codec.ts';
import { PrefixedCodec } from '../../lib/foreign/prefixed/prefixed-codec.ts';
import type { Codec } from '../../lib/wire/codec.ts';
import { ServerCodec } from '../../lib/wire/server-codec.ts';

const KIB = 1_024;
const SHORT_BYTES = 32 * KIB;
const LONG_BYTES = 512 * KIB;
/** This many short texts are as long as the long one. Quadratic work would take this many times as long. */
const SHORT_TEXTS = LONG_BYTES / SHORT_BYTES;
const MAX_FACTOR = 6;
const ROUNDS = 3;

/** Texts of a given length that are as hard as possible for a decoder. */
const HARD_TEXTS: Readonly<Record<string, (bytes: number) => string>> = {
  'spaces between two words': (bytes) => `g a${' '.repeat(bytes)}b`,
  'spaces before a word': (bytes) => `${' '.repeat(bytes)}g a`,
  'spaces behind a word': (bytes) => `g a${' '.repeat(bytes)}`,
  'words with a space between them': (bytes) => `g ${'a '.repeat(bytes / 2)}`,
  'spaces of three bytes': (bytes) => `g a${'\xe2\x80\x80'.repeat(bytes / 3)}b`,
  'bytes that are no UTF-8': (bytes) => `g ${'\xff'.repeat(bytes)}`,
  'letters and wrong bytes by turns': (bytes) => `g ${'a\xff'.repeat(bytes / 2)}`,
  'brackets that open': (bytes) => '['.repeat(bytes),
  'one long string': (bytes) => `{"command":"lock","parameters":{"lockName":"${'a'.repeat(bytes)}"},"id":1}`,
  'a string without an end': (bytes) => `{"command":"${'a'.repeat(bytes)}`,
  'backslashes in a string': (bytes) => `{"command":"${'\\'.repeat(bytes)}"`,
  'quotes and backslashes': (bytes) => `{"command":"${'\\"'.repeat(bytes / 2)}"`,
  'digits of an id': (bytes) => `{"command":"lock","parameters":{"lockName":"a"},"id":${'1'.repeat(bytes)}}`,
  'blank lines': (bytes) => '\n'.repeat(bytes),
  'lines of spaces': (bytes) => '  \n'.repeat(bytes / 3),
  'many members': (bytes) => `{${'"a":1,'.repeat(bytes / 6)}"b":2}`,
};

const CODECS: Readonly<Record<string, (text: string) => Codec>> = {
  line: (text) => pushed(new LineCodec(2 * LONG_BYTES), `${text}\n`),
  message: (text) => pushed(new ServerCodec(2 * LONG_BYTES), `${text}\n`),
  prefixed: (text) => {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(text.length);
    return pushed(new PrefixedCodec(2 * LONG_BYTES), prefix.toString('latin1') + text);
  },
};

function pushed(codec: Codec, latin1: string): Codec {
  codec.push(Buffer.from(latin1, 'latin1'));
  return codec;
}

/** The shortest of several rounds, in microseconds of processor time, so that other programs do not matter. */
function timeToDecode(makeCodec: (text: string) => Codec, text: string, count: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const codecs = Array.from({ length: count }, () => makeCodec(text));
    const began = process.cpuUsage();
    for (const codec of codecs) codec.next();
    const { user, system } = process.cpuUsage(began);
    least = Math.min(least, user + system);
  }
  return least;
}

describe('decoding takes time in proportion to the length', () => {
  for (const [codec, makeCodec] of Object.entries(CODECS)) {
    for (const [what, makeText] of Object.entries(HARD_TEXTS)) {
      it(`of ${what}, by the ${codec} codec`, () => {
        const short = timeToDecode(makeCodec, makeText(SHORT_BYTES), SHORT_TEXTS);
        const long = timeToDecode(makeCodec, makeText(LONG_BYTES), 1);
        // Times below a millisecond are quick enough and mean nothing.
        expect(long / Math.max(short, 1_000)).to.be.below(MAX_FACTOR);
      });
    }
  }

  it('and a string of 16 MiB in a frame does not overflow the stack', () => {
    const bytes = 16 * KIB * KIB;
    const text = `{"command":"lock","lockName":"${'a'.repeat(bytes)}"}`;
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(text.length);
    const codec = new PrefixedCodec(2 * bytes);
    codec.push(Buffer.concat([prefix, Buffer.from(text)]));
    expect(codec.next()).to.have.property('lockName').with.lengthOf(bytes);
  });
});
