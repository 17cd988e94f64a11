/**
 * Names between bytes and strings, without loss: valid UTF-8 is decoded as usual, every other byte b becomes the lone
 * surrogate U+DC00+b, and on the way out that surrogate is the byte again.
 */

import { Buffer } from 'node:buffer';
import { TextDecoder } from 'node:util';

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes bytes that need not be valid UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return decodeWithEscapes(bytes);
  }
}

/** Unit by unit: to hand each valid part to the decoder takes 200 ms for a MiB in which every other byte is wrong. */
function decodeWithEscapes(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length);
  let count = 0;
  for (let index = 0; index < bytes.length; ) {
    const length = sequenceLength(bytes, index);
    const code = length === 0 ? 0xdc00 + (bytes[index] as number) : codePoint(bytes, index, length);
    if (code < 0x10000) {
      units[count++] = code;
    } else {
      units[count++] = 0xd7c0 + (code >> 10);
      units[count++] = 0xdc00 + (code & 0x3ff);
    }
    index += length || 1;
  }
  return fromUnits(units.subarray(0, count));
}

/** What a well-formed sequence of 1 to 4 bytes stands for. */
function codePoint(bytes: Uint8Array, index: number, length: number): number {
  let code = (bytes[index] as number) & (length === 1 ? 0x7f : 0xff >> (length + 1));
  for (let further = 1; further < length; further += 1)
    code = (code << 6) | ((bytes[index + further] as number) & 0x3f);
  return code;
}

/** Length of the well-formed sequence that starts here, 0 when there is none (Unicode standard, table 3-7). */
function sequenceLength(bytes: Uint8Array, index: number): number {
  const lead = bytes[index] as number;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const second = bytes[index + 1] ?? 0;
  if (second < lowestSecond(lead) || second > highestSecond(lead)) return 0;
  for (let further = 2; further < length; further += 1) {
    if (((bytes[index + further] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** Excludes overlong forms. */
function lowestSecond(lead: number): number {
  if (lead === 0xe0) return 0xa0;
  return lead === 0xf0 ? 0x90 : 0x80;
}

/** Excludes encoded surrogates and what is above U+10FFFF. */
function highestSecond(lead: number): number {
  if (lead === 0xed) return 0x9f;
  return lead === 0xf4 ? 0x8f : 0xbf;
}

/** The first byte of a sequence in UTF-8, by how many bytes follow it. */
const LEADS: readonly number[] = [0, 0xc0, 0xe0, 0xf0];

const LONE_SURROGATE = /\p{Surrogate}/u;

/** The encoded form, each byte as one character below U+0100: for streams that are written in Latin-1. */
export function encodeText(text: string): string {
  if (isAscii(text)) return text;
  return LONE_SURROGATE.test(text) ? encodeWithEscapes(text) : Buffer.from(text).toString('latin1');
}

/** UTF-8, each byte as one character below U+0100: for text without lone surrogates. */
export function encodeUtf8(text: string): string {
  return isAscii(text) ? text : Buffer.from(text).toString('latin1');
}

/** The engine's encoder does not know of the escapes. */
function encodeWithEscapes(text: string): string {
  const bytes = Buffer.allocUnsafe(3 * text.length);
  let count = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.codePointAt(index) as number;
    if (code >= 0x10000) index += 1;
    if (isEscapedByte(code)) bytes[count++] = code - 0xdc00;
    else count = writeCodePoint(bytes, count, code);
  }
  return bytes.toString('latin1', 0, count);
}

/** Writes a code point in UTF-8 at an offset; returns where it ends. */
function writeCodePoint(bytes: Uint8Array, offset: number, code: number): number {
  if (code < 0x80) {
    bytes[offset] = code;
    return offset + 1;
  }
  const further = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  bytes[offset] = (LEADS[further] as number) | (code >> (6 * further));
  for (let index = 1; index <= further; index += 1) bytes[offset + index] = continuation(code, 6 * (further - index));
  return offset + further + 1;
}

const MAX_ARGUMENTS = 4_096;

/** A string of these UTF-16 units. */
function fromUnits(units: Uint16Array): string {
  let text = '';
  for (let index = 0; index < units.length; index += MAX_ARGUMENTS) {
    const part = units.subarray(index, index + MAX_ARGUMENTS);
    // Spreading goes from number to number and takes five times as long.
    text += Reflect.apply(String.fromCharCode, undefined, part);
  }
  return text;
}

/** Counting bytes joins the parts of a text and goes through it within the engine: half the time of a loop here. */
function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** How many bytes the text has in its encoded form; limits count these. */
export function encodedLength(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if (isPairAt(text, index)) {
      length += 4;
      index += 1;
    } else length += isEscapedByte(unit) ? 1 : 3;
  }
  return length;
}

/** The order of the encoded forms, byte by byte; names with equal forms are ordered by their UTF-16 units. */
export function compareEncoded(a: string, b: string): number {
  const index = firstDifference(a, b);
  if (index === a.length && index === b.length) return 0;
  // A name that ends here has no unit; and a surrogate at the end of the common part may be half of a pair.
  const unitA = index < a.length ? a.charCodeAt(index) : -1;
  const unitB = index < b.length ? b.charCodeAt(index) : -1;
  const isPlain = !isSurrogate(unitA) && !isSurrogate(unitB) && (index === 0 || !isSurrogate(a.charCodeAt(index - 1)));
  return isPlain ? unitA - unitB : compareBytes(a, b, Math.max(0, index - 1));
}

const CHUNK = 1_024;

/** Where two texts begin to differ. Long common parts are compared by the engine, which is much faster than by unit. */
function firstDifference(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let index = 0;
  while (index + CHUNK <= shorter && a.slice(index, index + CHUNK) === b.slice(index, index + CHUNK)) index += CHUNK;
  while (index < shorter && a.charCodeAt(index) === b.charCodeAt(index)) index += 1;
  return index;
}

/** Compares the encoded bytes from unit `from` on. The texts are equal before it, and it never splits a surrogate pair. */
function compareBytes(a: string, b: string, from: number): number {
  const bytesA = encodedBytes(a, from);
  const bytesB = encodedBytes(b, from);
  for (;;) {
    const byteA = bytesA.next();
    const byteB = bytesB.next();
    if (byteA.done === true && byteB.done === true) return a < b ? -1 : 1;
    const difference = (byteA.done === true ? -1 : byteA.value) - (byteB.done === true ? -1 : byteB.value);
    if (difference !== 0) return difference;
  }
}

function* encodedBytes(text: string, from: number): Generator<number, void, undefined> {
  for (let index = from; index < text.length; index += 1) {
    const code = text.codePointAt(index) as number;
    if (code >= 0x10000) index += 1;
    if (code < 0x80) yield code;
    else if (isEscapedByte(code)) yield code - 0xdc00;
    else if (code < 0x800) yield* [0xc0 | (code >> 6), continuation(code, 0)];
    else if (code < 0x10000) yield* [0xe0 | (code >> 12), continuation(code, 6), continuation(code, 0)];
    else yield* [0xf0 | (code >> 18), continuation(code, 12), continuation(code, 6), continuation(code, 0)];
  }
}

function continuation(code: number, shift: number): number {
  return 0x80 | ((code >> shift) & 0x3f);
}

function isPairAt(text: string, index: number): boolean {
  return (text.charCodeAt(index) & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00;
}

function isSurrogate(unit: number): boolean {
  return (unit & 0xf800) === 0xd800;
}

function isEscapedByte(code: number): boolean {
  return code >= 0xdc80 && code <= 0xdcff;
}
