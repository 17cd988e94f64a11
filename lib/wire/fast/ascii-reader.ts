/** Reads ASCII texts and numbers straight from bytes, for what comes most. */

import { decodeText } from '../text.ts';

const DIGIT_ZERO = 0x30;
const DIGIT_NINE = 0x39;
/** A whole number below 2^53 has no more digits. */
const MAX_DIGITS = 16;

/** Which bytes a text may consist of. */
export type Alphabet = Uint8Array;

/** The bytes from one to another, without the exceptions. */
export function alphabet(first: number, last: number, exceptions: string = ''): Alphabet {
  const isIn = new Uint8Array(256).fill(1, first, last + 1);
  for (const exception of exceptions) isIn[exception.charCodeAt(0)] = 0;
  return isIn;
}

/** A fixed ASCII text as bytes, and as floating-point numbers of eight bytes, which are compared sooner. ASCII is never NaN. */
export interface Phrase {
  readonly bytes: Uint8Array;
  /** Little-endian. */
  readonly eights: Float64Array;
}

export function phrase(text: string): Phrase {
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const eights = Float64Array.from({ length: bytes.length >> 3 }, (_, index) => view.getFloat64(8 * index, true));
  return { bytes, eights };
}

/** At most this many texts are remembered; a power of two. */
const SLOTS = 16_384;
const MAX_CHARACTERS = 64;
const texts: string[] = new Array<string>(SLOTS).fill('');

/**
 * The text of ASCII bytes, found by their hash. Short texts come again and again, such as the names
 * of locks: each is made once and then found by its bytes.
 */
export function cachedText(bytes: Uint8Array, start: number, end: number, hash: number): string {
  const length = end - start;
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  const known = texts[slot] as string;
  if (known.length === length) {
    let index = 0;
    while (index < length && known.charCodeAt(index) === bytes[start + index]) index += 1;
    if (index === length) return known;
  }
  const text = decodeText(bytes.subarray(start, end));
  if (length <= MAX_CHARACTERS) texts[slot] = text;
  return text;
}

/** Reads bytes from left to right. Each method moves behind what it has read, or does not move if it is not there. */
export class AsciiReader {
  /** The next byte. */
  at = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #end = 0;

  /** Begins at `start`, and never goes beyond `end`. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.at = start;
    this.#end = end;
  }

  /** Whether that text comes next. */
  take({ bytes, eights }: Phrase): boolean {
    const { at } = this;
    const view = this.#view;
    const { length } = bytes;
    if (at + length > this.#end) return false;
    for (let index = 0; index < eights.length; index += 1) {
      if (view.getFloat64(at + 8 * index, true) !== eights[index]) return false;
    }
    for (let index = 8 * eights.length; index < length; index += 1) {
      if (view.getUint8(at + index) !== bytes[index]) return false;
    }
    this.at = at + length;
    return true;
  }

  /** The text up to the first byte that is not in the alphabet, or to the end. */
  text(isIn: Alphabet): string {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.at;
    let at = start;
    let hash = 0;
    while (at < end) {
      const byte = bytes[at] as number;
      if (isIn[byte] === 0) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
      at += 1;
    }
    this.at = at;
    return cachedText(bytes, start, at, hash);
  }

  /** A whole number from 0 to below 2^53, as JSON has it. */
  integer(): number | undefined {
    const bytes = this.#bytes;
    const start = this.at;
    let value = 0;
    let at = start;
    for (
      let byte = bytes[at] as number;
      at < this.#end && byte >= DIGIT_ZERO && byte <= DIGIT_NINE;
      byte = bytes[at] as number
    ) {
      value = value * 10 + (byte - DIGIT_ZERO);
      at += 1;
    }
    const count = at - start;
    if (count === 0 || count > MAX_DIGITS || value > Number.MAX_SAFE_INTEGER) return undefined;
    if (count > 1 && bytes[start] === DIGIT_ZERO) return undefined;
    this.at = at;
    return value;
  }
}
