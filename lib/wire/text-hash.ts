/**
 * HalfSipHash-1-3 (Aumasson and Bernstein) of texts, by a key that nobody outside knows: so no client can choose names
 * that all meet in one place of a table.
 */

const WORDS = 2 ** 32;
const key0 = (Math.random() * WORDS) | 0;
const key1 = (Math.random() * WORDS) | 0;
/** What sets the hashes of texts beyond ASCII, two bytes for each unit, apart from those of others. */
const WIDE = 0xfe;
const FIRST_CAPACITY = 256;
const MAX_KEPT_CAPACITY = 65_536;

/** One operation asks for the hash of the same text several times. */
let lastText = '';
let lastHash = -1;
let unpacked = new Uint8Array(FIRST_CAPACITY);

/** A whole number from 0 to below 2^31: the same for equal texts, and like chance for others. */
export function hashText(text: string): number {
  if (text === lastText && lastHash !== -1) return lastHash;
  const length = unpack(text);
  const hash = length === -1 ? hashWide(text) : hashBytes(unpacked, 0, length);
  noteHash(text, hash);
  return hash;
}

/** Remembers the hash of a text that is likely to be asked for next. */
export function noteHash(text: string, hash: number): void {
  lastText = text;
  lastHash = hash;
}

/** The hash of a text that consists of these bytes, all of them ASCII. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  return halfSipHash(bytes, start, end, 0);
}

/** Puts a text that is all ASCII into bytes and tells how many those are; -1 for others. */
function unpack(text: string): number {
  const { length } = text;
  reserve(length);
  const bytes = unpacked;
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x80) return -1;
    bytes[index] = unit;
  }
  return length;
}

function hashWide(text: string): number {
  const { length } = text;
  reserve(2 * length);
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index);
    unpacked[2 * index] = unit & 0xff;
    unpacked[2 * index + 1] = unit >> 8;
  }
  return halfSipHash(unpacked, 0, 2 * length, WIDE);
}

function reserve(length: number): void {
  const isTooMuch = unpacked.length > MAX_KEPT_CAPACITY && length <= MAX_KEPT_CAPACITY;
  if (unpacked.length < length || isTooMuch) unpacked = new Uint8Array(Math.max(length, FIRST_CAPACITY));
}

function halfSipHash(bytes: Uint8Array, start: number, end: number, variant: number): number {
  let v0 = key0;
  let v1 = key1;
  let v2 = 0x6c796765 ^ key0 ^ variant;
  let v3 = 0x74656462 ^ key1;
  const length = end - start;
  // Words of four bytes, then one of the bytes that are left over and the length; then three rounds more.
  const wordsEnd = start + (length & ~3);
  const lastEnd = wordsEnd + 4;
  for (let at = start; at <= lastEnd + 8; at += 4) {
    let word = 0;
    if (at < wordsEnd) {
      word =
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24);
    } else if (at === wordsEnd) {
      word = length << 24;
      for (let rest = end - 1; rest >= at; rest -= 1) word |= (bytes[rest] as number) << (8 * (rest - at));
    } else if (at === lastEnd) {
      v2 ^= 0xff;
    }
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 1;
}
