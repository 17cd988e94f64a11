/** The line protocol of lockd and glockd: a command word and a name a line. Knows neither sockets nor what they mean. */

import type { Codec } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { LineSplitter } from './line-splitter.ts';
import { encodeText, ownCopy } from './text.ts';

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
const SPACE = '[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const ENDS = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');
const RUNS = new RegExp(`${SPACE}+`, 'g');

/** Every line is a command, blank ones too. One of more than `maxLineBytes` is a `ProtocolError`. */
export class LineCodec implements Codec {
  readonly encoding = 'latin1';
  readonly #lines: LineSplitter;

  constructor(maxLineBytes: number) {
    this.#lines = new LineSplitter(maxLineBytes);
  }

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  end(): void {
    this.#lines.finish();
  }

  next(): CommandLine | ProtocolError | undefined {
    const line = this.#lines.next();
    if (line === undefined) return undefined;
    if (line === 'tooLong') return new ProtocolError('limit', 'Line Too Long');
    const { text, start, end } = this.#lines;
    return scanCommandLine(text, start, end) ?? parseCommandLine(ownCopy(text.slice(start, end)));
  }

  encode({ text }: LineReply): string {
    return encodeText(text);
  }
}

const SPACE_CODE = 0x20;

/** The common lines: a word, a space and a name, printable ASCII without white space. Undefined for all others. */
function scanCommandLine(text: string, start: number, end: number): CommandLine | undefined {
  const wordEnd = endOfPrintable(text, start, end);
  if (wordEnd === start || text.charCodeAt(wordEnd) !== SPACE_CODE) return undefined;
  const nameStart = wordEnd + 1;
  if (nameStart >= end || endOfPrintable(text, nameStart, end) !== end) return undefined;
  return { word: text.slice(start, wordEnd), name: ownCopy(text.slice(nameStart, end)), hasName: true };
}

function endOfPrintable(text: string, start: number, end: number): number {
  let index = start;
  while (index < end) {
    const code = text.charCodeAt(index);
    if (code <= SPACE_CODE || code >= 0x7f) break;
    index += 1;
  }
  return index;
}

/** Only a space ends the word; within the name, runs of white space become one space. */
function parseCommandLine(line: string): CommandLine {
  const trimmed = line.replace(ENDS, '');
  const end = trimmed.indexOf(' ');
  if (end === -1) return { word: trimmed, name: '', hasName: false };
  const name = trimmed
    .slice(end + 1)
    .replace(ENDS, '')
    .replace(RUNS, ' ');
  return { word: trimmed.slice(0, end), name, hasName: name !== '' };
}
