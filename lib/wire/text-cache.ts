/**
 * Short texts that come again and again, such as the names of locks: each is made once and then found by its bytes. To
 * make a text costs more than to read the rest of a message.
 */

import { decodeText } from './text.ts';
import { hashBytes, noteHash } from './text-hash.ts';

/** A power of two: so many texts are remembered at most, each where its bytes put it; the last one stays. */
const SLOTS = 16_384;
const MAX_BYTES = 64;

/** What `placeOn` begins with. */
export const FIRST_PLACE = 17;

const texts: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined);
/** The bytes of the texts, since to compare with those is faster than with the text. */
const bytesOfTexts = new Uint8Array(SLOTS * MAX_BYTES);
const hashes = new Int32Array(SLOTS);

/** Where the cache looks for a text, with one byte more: anybody may know how, it decides nothing but what is remembered. */
export function placeOn(place: number, byte: number): number {
  return (Math.imul(place, 31) + byte) | 0;
}

/** The text of some bytes, all of them ASCII, of that place. It is never a part of another text. */
export function cachedText(bytes: Uint8Array, start: number, end: number, place: number): string {
  if (end - start > MAX_BYTES) return decodeText(bytes.subarray(start, end));
  const slot = (place ^ (place >>> 14)) & (SLOTS - 1);
  let text = texts[slot];
  if (text === undefined || text.length !== end - start || !isInSlot(slot, bytes, start, end)) {
    const piece = bytes.subarray(start, end);
    text = decodeText(piece);
    texts[slot] = text;
    bytesOfTexts.set(piece, slot * MAX_BYTES);
    hashes[slot] = hashBytes(bytes, start, end);
  }
  noteHash(text, hashes[slot] as number);
  return text;
}

function isInSlot(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
  const shift = slot * MAX_BYTES - start;
  for (let at = start; at < end; at += 1) if (bytesOfTexts[at + shift] !== bytes[at]) return false;
  return true;
}
