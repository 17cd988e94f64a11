/** Short texts that come again and again, such as the names of locks: each is made once and then found by its bytes. */

import { decodeText } from '../text.ts';

/** A power of two: as many texts are remembered at most. */
const SLOTS = 16_384;
const MAX_CHARACTERS = 64;

const texts: string[] = new Array<string>(SLOTS).fill('');

/** The text of some bytes, all of them ASCII, with a hash of theirs. */
export function cachedText(bytes: Uint8Array, start: number, end: number, hash: number): string {
  if (end - start > MAX_CHARACTERS) return decodeText(bytes.subarray(start, end));
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  const known = texts[slot] as string;
  if (isText(known, bytes, start, end)) return known;
  const text = decodeText(bytes.subarray(start, end));
  texts[slot] = text;
  return text;
}

function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = text;
  if (length !== end - start) return false;
  for (let index = 0; index < length; index += 1) if (text.charCodeAt(index) !== bytes[start + index]) return false;
  return true;
}
