/**
 * The line protocol of lockd and glockd: each line is a command word and a name. Knows neither sockets nor the
 * commands' meanings.
 */

import { type Codec, TextOutput } from '../../wire/codec.ts';
import { ProtocolError } from '../../wire/errors.ts';
import { type Alphabet, type AsciiReader, alphabet, phrase } from '../../wire/fast/ascii-reader.ts';
import { LineSplitter } from '../../wire/line-splitter.ts';
import { decodeText, encodeText } from '../../wire/text.ts';

/** One command line. On a blank line the word is empty. */
export interface CommandLine {
  readonly word: string;
  /** The text after the word and one space; empty when there is none. */
  readonly name: string;
  /** Whether a name follows the word: `d` and `d NAME` are different commands. */
  readonly hasName: boolean;
}

/** A reply of one or more lines, each ended by `\n`. */
export interface LineReply {
  readonly text: string;
  /** Marks the end of a reply whose first pieces were sent before. The text may be empty. */
  readonly isLastPiece?: true;
}

/** White space as glockd has it: Go's `unicode.IsSpace`. */
const SPACES = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;
const SPACE = new RegExp(SPACES.source.slice(0, -1));

/** Every line is a command, even a blank one. A line of more than `maxLineBytes` is a `ProtocolError`. */
export class LineCodec extends LineSplitter implements Codec {
  readonly encoding = 'latin1';
  readonly endsFrames = true;
  readonly output: TextOutput = new TextOutput(encodeText);

  next(): CommandLine | ProtocolError | undefined {
    const common = this.readNext(readCommonLine);
    if (common !== undefined) return common;
    const line = this.nextLine();
    if (line === undefined) return undefined;
    if (line === 'tooLong') return new ProtocolError('limit', 'Line Too Long');
    return parseCommandLine(decodeText(line));
  }

  encode({ text }: LineReply): void {
    this.output.add(text);
  }
}

const SPACE_BYTE = phrase(' ');
const NEWLINE = phrase('\n');
const PRINTABLE: Alphabet = alphabet(0x21, 0x7e);

/**
 * Reads a common line: a word, a space and a name in printable ASCII without white space. Undefined for any other line.
 */
function readCommonLine(reader: AsciiReader): CommandLine | undefined {
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

/** A pattern that ends in `$` would scan a run of spaces once from each space; this looks at each character once. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && SPACE.test(text.charAt(start))) start += 1;
  while (end > start && SPACE.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** Engines copy texts up to this length instead of pointing into the longer text. */
const MAX_COPIED_CHARACTERS = 12;

/**
 * Engines store a piece of a text as a pointer into it, so a short name would keep its whole line in memory. Joining
 * two pieces makes a copy.
 */
function ownCopy(name: string): string {
  return name.length <= MAX_COPIED_CHARACTERS ? name : [name.slice(0, 1), name.slice(1)].join('');
}
