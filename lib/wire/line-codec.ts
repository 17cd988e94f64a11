/** The line protocol of lockd and glockd: a command word and a name a line. Knows neither sockets nor what they mean. */

import type { Codec } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { LineSplitter } from './line-splitter.ts';
import type { Phrase } from './phrase.ts';
import { ScratchOutput } from './scratch-output.ts';
import { decodeText, encodeText } from './text.ts';
import { cachedText, FIRST_PLACE, placeOn } from './text-cache.ts';

/** One command line. A line without a word has the empty one. */
export interface CommandLine {
  readonly word: string;
  /** What stands behind the word and one space; the empty name when nothing does. */
  readonly name: string;
  /** Whether there is anything behind the word: `d` and `d NAME` are two commands. */
  readonly hasName: boolean;
}

/** A reply: what is fixed of one line, and the name behind it; or any text. */
export type LineReply = NameReply | TextReply;

/** One line, without its end. */
export interface NameReply {
  readonly head: Phrase;
  readonly name: string;
}

/** A reply of one line or several, each ended by `\n`. */
export interface TextReply {
  readonly text: string;
  /** Pieces of the reply were sent before: this ends it, even when it is empty. */
  readonly isLastPiece?: true;
}

/** Longer names are written in the way for any text. */
const MAX_SHORT_NAME = 256;

/** White space as Unicode has it and glockd takes it (Go's `unicode.IsSpace`). */
const SPACES = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;
const SPACE = new RegExp(SPACES.source.slice(0, -1));

/** Every line is a command, blank ones too. One of more than `maxLineBytes` is a `ProtocolError`. */
export class LineCodec implements Codec {
  readonly encoding = 'latin1';
  readonly endsFrames = true;
  readonly output: ScratchOutput = new ScratchOutput();
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
      const line = scanner.scan(lines.bytes, lines.start, lines.end);
      if (line !== undefined) {
        lines.skipTo(scanner.lineEnd + 1);
        return line;
      }
    }
    const line = lines.next();
    if (line === undefined) return undefined;
    if (line === 'tooLong') return new ProtocolError('limit', 'Line Too Long');
    return parseCommandLine(decodeText(lines.bytes.subarray(lines.start, lines.end)));
  }

  encode(reply: LineReply): void {
    if ('text' in reply) this.output.add(encodeText(reply.text));
    else if (!this.#putShort(reply)) this.output.add(encodeText(`${reply.head.text}${reply.name}\n`));
  }

  #putShort({ head, name }: NameReply): boolean {
    if (name.length > MAX_SHORT_NAME) return false;
    this.output.begin(head.length + name.length + 1);
    return this.output.putLine(head, name);
  }
}

const NEWLINE = 0x0a;
const SPACE_BYTE = 0x20;
const DELETE = 0x7f;
/** Of each of four bytes. */
const HIGH_BITS = 0x80808080 | 0;
const NOTHING = new Uint8Array(0);

/** The common lines: a word, a space and a name, printable ASCII without white space. Undefined for all others. */
class CommandLineScanner {
  #bytes: Uint8Array = NOTHING;
  #words: DataView = new DataView(NOTHING.buffer);
  #at = 0;
  #end = 0;

  /** Where the line ends that was read last: at its `\n`. */
  get lineEnd(): number {
    return this.#at;
  }

  scan(bytes: Uint8Array, start: number, end: number): CommandLine | undefined {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#at = start;
    this.#end = end;
    const word = this.#printable(SPACE_BYTE);
    if (word === undefined) return undefined;
    this.#at += 1;
    const name = this.#printable(NEWLINE);
    return name === undefined ? undefined : { word, name, hasName: true };
  }

  /** One or more bytes up to the one that ends them, which is not printable. */
  #printable(ending: number): string | undefined {
    const words = this.#words;
    const start = this.#at;
    const lastWord = this.#end - 4;
    let index = start;
    let place = FIRST_PLACE;
    for (; index <= lastWord; index += 4) {
      const word = words.getInt32(index, true);
      if (!isPrintableWord(word)) break;
      place = placeOn(place, word);
    }
    const bytes = this.#bytes;
    let byte = bytes[index] as number;
    while (index < this.#end && byte > SPACE_BYTE && byte < DELETE) {
      place = placeOn(place, byte);
      index += 1;
      byte = bytes[index] as number;
    }
    this.#at = index;
    if (index === start || index >= this.#end || byte !== ending) return undefined;
    return cachedText(bytes, words, start, index, place);
  }
}

const scanner = new CommandLineScanner();

/** Whether all of four bytes are: each test lends a bit where they are not. */
function isPrintableWord(word: number): boolean {
  return ((word | (word + 0x01010101) | (word - 0x21212121)) & HIGH_BITS) === 0;
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
