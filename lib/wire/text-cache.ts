/**
 * Short texts that come again and again, such as the names of locks: each is made once and then found by its bytes. To
 * make a text costs more than to read the rest of a message, and a map that was asked for one knows its hash the next
 * time.
 */

import { decodeText } from './text.ts';

/** A power of two: so many texts are remembered at most, each where its hash puts it; the last one stays. */
const SLOTS = 4_096;
const MAX_BYTES = 64;
/** What a hash begins with. */
export const HASH_START = 17;

const texts: string[] = new Array<string>(SLOTS).fill('');

/** The hash so far, with one more byte. */
export function hashOn(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

/** The text of some bytes, all of them ASCII; `hash` is theirs, from `HASH_START` on. */
export function cachedText(bytes: Uint8Array, start: number, end: number, hash: number): string {
  if (end - start > MAX_BYTES) return decodeText(bytes.subarray(start, end));
  const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
  const known = texts[slot] as string;
  if (known.length === end - start && isTextOf(known, bytes, start)) return known;
  const text = decodeText(bytes.subarray(start, end));
  texts[slot] = text;
  return text;
}

/** Whatever the hash says. */
function isTextOf(text: string, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
