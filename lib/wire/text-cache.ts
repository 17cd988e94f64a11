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
const wordsOfTexts = new DataView(bytesOfTexts.buffer);
const hashes = new Int32Array(SLOTS);

/** Where the cache looks for a text, with one byte or word more: anybody may know how, it only decides what is remembered. */
export function placeOn(place: number, word: number): number {
  const mixed = Math.imul(place ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** The text of some bytes, all of them ASCII, of that place. It is never a part of another text. */
export function cachedText(bytes: Uint8Array, words: DataView, start: number, end: number, place: number): string {
  if (end - start > MAX_BYTES) return decodeText(bytes.subarray(start, end));
  const slot = place & (SLOTS - 1);
  let text = texts[slot];
  if (text === undefined || text.length !== end - start || !isInSlot(slot, bytes, words, start, end)) {
    const piece = bytes.subarray(start, end);
    text = decodeText(piece);
    texts[slot] = text;
    bytesOfTexts.set(piece, slot * MAX_BYTES);
    hashes[slot] = hashBytes(bytes, start, end);
  }
  noteHash(text, hashes[slot] as number);
  return text;
}

function isInSlot(slot: number, bytes: Uint8Array, words: DataView, start: number, end: number): boolean {
  let to = slot * MAX_BYTES;
  let at = start;
  for (const lastWord = end - 4; at <= lastWord; at += 4) {
    if (wordsOfTexts.getInt32(to, true) !== words.getInt32(at, true)) return false;
    to += 4;
  }
  for (; at < end; at += 1) {
    if (bytesOfTexts[to] !== bytes[at]) return false;
    to += 1;
  }
  return true;
}
