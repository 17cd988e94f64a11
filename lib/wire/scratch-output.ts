/**
 * Output that is written as bytes, for a server with many connections: what one of them says in a turn is put together
 * in the one buffer that all of them share, and becomes a text when it goes out or when another one has something to say.
 */

import { Buffer } from 'node:buffer';
import { type Phrase, putPhrase } from './phrase.ts';
import { TextOutput } from './text-output.ts';

const CAPACITY = 65_536;
/** What may be written too much before it is overwritten. */
const SLACK = 8;
const NEWLINE = 0x0a;
const DIGIT_ZERO = 0x30;
/** Whole numbers below this are printed with 32-bit arithmetic. */
const BILLION = 1e9;
const BILLION_DIGITS = 9;

const bytes = Buffer.alloc(CAPACITY);
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
/** The numbers from 0 to 99 as two digits, little-endian. */
const PAIRS: Uint16Array = Uint16Array.from({ length: 100 }, (_, number) => {
  return (DIGIT_ZERO + Math.floor(number / 10)) | ((DIGIT_ZERO + (number % 10)) << 8);
});

/** Whose output is in the buffer, up to `at`. */
let writer: ScratchOutput | undefined;
let at = 0;

/** How many billions were printed last, with their digits as two words: most large numbers are tokens, which have the same. */
let billions = -1;
let billionsDigits = 0;
let billionsWord = 0;
let billionsRest = 0;

/** The output of one connection, as Latin-1: each character is a byte. */
export class ScratchOutput extends TextOutput {
  override get length(): number {
    return writer === this ? this.text.length + at : this.text.length;
  }

  /** Adds any text whose characters are bytes. */
  override add(text: string): void {
    if (writer === this) this.#leaveBuffer();
    super.add(text);
  }

  override take(): string {
    if (writer === this) this.#leaveBuffer();
    return super.take();
  }

  /** Must be called before the `put`s of one message, which write so many bytes at most: fewer than 4,096. */
  begin(maxBytes: number): void {
    if (writer !== this) {
      if (writer !== undefined) writer.#leaveBuffer();
      writer = this;
    } else if (at + maxBytes + SLACK > CAPACITY) {
      this.#leaveBuffer();
    }
  }

  putPhrase(text: Phrase): void {
    // What that writes too much is overwritten by what follows.
    putPhrase(text, view, at);
    at += text.length;
  }

  /** Puts a text that is all ASCII. */
  putAscii(text: string): void {
    const { length } = text;
    for (let index = 0; index < length; index += 1) bytes[at + index] = text.charCodeAt(index);
    at += length;
  }

  /** Puts a line of both; false when the text is not all ASCII, and then nothing is put. */
  putLine(head: Phrase, text: string): boolean {
    const start = at;
    this.putPhrase(head);
    const { length } = text;
    let bits = 0;
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      bytes[at + index] = unit;
      bits |= unit;
    }
    if (bits >= 0x80) {
      at = start;
      return false;
    }
    bytes[at + length] = NEWLINE;
    at += length + 1;
    return true;
  }

  /** Puts a whole number from 0 to below 2^53, in decimal: 16 digits at most. */
  putInteger(number: number): void {
    if (number < BILLION) {
      putDigits(number, countDigits(number));
    } else {
      const high = Math.floor(number / BILLION);
      if (high !== billions) rememberBillions(high);
      view.setInt32(at, billionsWord, true);
      view.setInt32(at + 4, billionsRest, true);
      at += billionsDigits;
      putDigits(number - high * BILLION, BILLION_DIGITS);
    }
  }

  #leaveBuffer(): void {
    if (at > 0) this.text += bytes.toString('latin1', 0, at);
    at = 0;
  }
}

/** Prints a number of up to 7 digits where the next output comes, and takes it from there. */
function rememberBillions(high: number): void {
  billions = high;
  billionsDigits = countDigits(high);
  putDigits(high, billionsDigits);
  at -= billionsDigits;
  billionsWord = view.getInt32(at, true);
  billionsRest = view.getInt32(at + 4, true);
}

function countDigits(number: number): number {
  let count = 1;
  for (let next = 10; next <= number; next *= 10) count += 1;
  return count;
}

/** Puts a number below a billion with so many digits, from the last one on. */
function putDigits(number: number, count: number): void {
  let rest = number | 0;
  let to = at + count;
  const from = at;
  at = to;
  while (to - 2 >= from) {
    const quotient = (rest / 100) | 0;
    to -= 2;
    view.setUint16(to, PAIRS[rest - quotient * 100] as number, true);
    rest = quotient;
  }
  if (to > from) bytes[from] = DIGIT_ZERO + rest;
}
