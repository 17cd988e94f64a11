/** The line protocol of lockd and glockd: a command word and a name a line. Knows neither sockets nor what they mean. */

import type { Codec } from '../../wire/codec.ts';
import { ProtocolError } from '../../wire/errors.ts';
import { type Alphabet, AsciiReader, alphabet, phrase } from '../../wire/fast/ascii-reader.ts';
import { ByteOutput } from '../../wire/fast/byte-output.ts';
import { LineSplitter } from '../../wire/line-splitter.ts';
import { decodeText, encodeText } from '../../wire/text.ts';

/** One command line. A line without a word has the empty one. */
export interface CommandLine {
  readonly word: string;
  /** What stands behind the word and one space; the empty name when nothing does. */
  readonly name: string;
  /** Whether there is anything behind the word: `d` and `d NAME` are two commands. */
  readonly hasName: boolean;
}

/** A reply of one line or several, each ended by `\n`. */
export interface LineReply {
  readonly text: string;
  /** Pieces of the reply were sent before: this ends it, even when it is empty. */
  readonly isLastPiece?: true;
}

/** White space as Unicode has it and glockd takes it (Go's `unicode.IsSpace`). */
const SPACES = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;
const SPACE = new RegExp(SPACES.source.slice(0, -1));

/** Every line is a command, blank ones too. One of more than `maxLineBytes` is a `ProtocolError`. */
export class LineCodec implements Codec {
  readonly encoding = 'latin1';
  readonly endsFrames = true;
  readonly output: ByteOutput = new ByteOutput();
  readonly #lines: LineSplitter;

  constructor(maxLineBytes: number) {
    this.#lines = new LineSplitter(maxLineBytes);
  }

  push(bytes: Uint8Array, end?: number): void {
    this.#lines.push(bytes, end);
  }

  keep(): void {
    this.#lines.keep();
  }

  end(): void {
    this.#lines.finish();
  }

  next(): CommandLine | ProtocolError | undefined {
    const lines = this.#lines;
    // Who reads a common line finds its end on the way.
    if (lines.peek()) {
      reader.begin(lines.bytes, lines.start, lines.end);
      const line = readCommonLine();
      if (line !== undefined) {
        lines.skipTo(reader.at);
        return line;
      }
    }
    const line = lines.next();
    if (line === undefined) return undefined;
    if (line === 'tooLong') return new ProtocolError('limit', 'Line Too Long');
    return parseCommandLine(decodeText(lines.bytes.subarray(lines.start, lines.end)));
  }

  encode({ text }: LineReply): void {
    if (!this.output.putAscii(text)) this.output.add(encodeText(text));
  }
}

const SPACE_BYTE = phrase(' ');
const NEWLINE = phrase('\n');
const PRINTABLE: Alphabet = alphabet(0x21, 0x7e);
/** One for all connections: what it reads of one line it reads at once. */
const reader = new AsciiReader();

/** The common lines: a word, a space and a name, printable ASCII without white space. Undefined for all others. */
function readCommonLine(): CommandLine | undefined {
  const word = reader.text(PRINTABLE);
  if (word === '' || !reader.take(SPACE_BYTE)) return undefined;
  const name = reader.text(PRINTABLE);
  return name !== '' && reader.take(NEWLINE) ? { word, name, hasName: true } : undefined;
}

/** Only a space ends the word; within the name, runs of white space become one space. */
function parseCommandLine(line: string): CommandLine {
  const trimmed = trim(line);
  const end = trimmed.indexOf(' ');
  if (end === -1) return { word: trimmed, name: '', hasName: false };
  const name = trim(trimmed.slice(end + 1)).replace(SPACES, ' ');
  return { word: trimmed.slice(0, end), name: ownCopy(name), hasName: name !== '' };
}

/** Looks at each character once. A pattern that ends in `$` would look at a run of spaces once from each of them. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && SPACE.test(text.charAt(start))) start += 1;
  while (end > start && SPACE.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** Names up to this length are never parts of others. */
const MAX_COPIED_CHARACTERS = 12;

/**
 * A name that was cut out of a longer text keeps all of that text in memory: engines only note where it lies. To join
 * pieces makes a text of its own.
 */
function ownCopy(name: string): string {
  return name.length <= MAX_COPIED_CHARACTERS ? name : [name.slice(0, 1), name.slice(1)].join('');
}
