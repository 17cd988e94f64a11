/** Output that is put together as bytes: short messages one after the other, without a text for each. */

import { Buffer } from 'node:buffer';
import type { Output } from '../codec.ts';
import type { Phrase } from './ascii-reader.ts';

const BUFFER_BYTES = 65_536;
/** Thousands of connections may have something to send at the end of one input. All but so many put it together as text. */
const MAX_BUFFERS = 8;
/** The most that may be put at a time. */
const MAX_PUT_BYTES = 512;
const ZERO = 0x30;
const BILLION = 1e9;
/** The numbers from 0 to 99 as two digits. */
const PAIRS: Uint16Array = Uint16Array.from({ length: 100 }, (_, number) => {
  return ((ZERO + Math.floor(number / 10)) << 8) | (ZERO + (number % 10));
});

/** The same bytes, to be written as bytes and as words. */
interface WriteBuffer {
  readonly bytes: Buffer;
  readonly words: DataView;
}

/** Buffers that no output uses now. An output has one only while it has something to send. */
const spareBuffers: WriteBuffer[] = Array.from({ length: MAX_BUFFERS }, makeBuffer);

function makeBuffer(): WriteBuffer {
  const bytes = Buffer.alloc(BUFFER_BYTES);
  return { bytes, words: new DataView(bytes.buffer, bytes.byteOffset, BUFFER_BYTES) };
}

/** Text as Latin-1: each character is a byte. */
export class ByteOutput implements Output {
  /** What was said before the bytes in the buffer. */
  #text = '';
  #buffer: WriteBuffer | undefined;
  #at = 0;

  get length(): number {
    return this.#text.length + this.#at;
  }

  /** Adds any text whose characters are bytes. */
  add(text: string): void {
    this.#emptyBuffer();
    this.#text += text;
  }

  take(): string {
    this.#emptyBuffer();
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** Puts a few bytes, at most 512. */
  put({ text, bytes, words }: Phrase): void {
    const buffer = this.#takeBuffer();
    if (buffer === undefined) {
      this.#text += text;
      return;
    }
    const at = this.#at;
    for (let index = 0; index < words.length; index += 1) {
      buffer.words.setInt32(at + 4 * index, words[index] as number, true);
    }
    for (let index = 4 * words.length; index < bytes.length; index += 1) {
      buffer.bytes[at + index] = bytes[index] as number;
    }
    this.#at = at + bytes.length;
  }

  /** Puts a short text if it is all ASCII and a buffer is free; otherwise it puts nothing and returns false. */
  putAscii(text: string): boolean {
    const { length } = text;
    const buffer = length > MAX_PUT_BYTES ? undefined : this.#takeBuffer();
    if (buffer === undefined) return false;
    const at = this.#at;
    let bits = 0;
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      buffer.bytes[at + index] = unit;
      bits |= unit;
    }
    if (bits >= 0x80) return false;
    this.#at = at + length;
    return true;
  }

  /** Puts a whole number from 0 to below 2^53, in decimal. */
  putInteger(number: number): void {
    const buffer = this.#takeBuffer();
    if (buffer === undefined) {
      this.#text += String(number);
    } else if (number < BILLION) {
      this.#putDigits(buffer, number, countDigits(number));
    } else {
      const high = Math.floor(number / BILLION);
      this.#putDigits(buffer, high, countDigits(high));
      this.#putDigits(buffer, number - high * BILLION, 9);
    }
  }

  #putDigits({ bytes, words }: WriteBuffer, number: number, count: number): void {
    let rest = number | 0;
    let at = this.#at + count;
    const start = this.#at;
    this.#at = at;
    while (at - 2 >= start) {
      const quotient = (rest / 100) | 0;
      at -= 2;
      words.setUint16(at, PAIRS[rest - quotient * 100] as number);
      rest = quotient;
    }
    if (at > start) bytes[start] = ZERO + rest;
  }

  /** The buffer, with room for what is put next; undefined when other outputs use them all. */
  #takeBuffer(): WriteBuffer | undefined {
    if (this.#at + MAX_PUT_BYTES > BUFFER_BYTES) this.#emptyBuffer();
    this.#buffer ??= spareBuffers.pop();
    return this.#buffer;
  }

  #emptyBuffer(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    this.#text += buffer.bytes.toString('latin1', 0, this.#at);
    this.#buffer = undefined;
    this.#at = 0;
    spareBuffers.push(buffer);
  }
}

function countDigits(number: number): number {
  let count = 1;
  for (let next = 10; next <= number; next *= 10) count += 1;
  return count;
}
